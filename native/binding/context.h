// NativeContext of lib/internal/native.ts: the handle that JS holds, and the session behind it,
// which outlives the handle while its thread runs.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/model.h"
#include "core/engine/context.h"

namespace cria::binding {

// NativeContextOptions of lib/internal/native.ts. Throws ERR_INVALID_ARGUMENT for what would end
// the process.
ContextOptions to_context_options(Napi::Value value);

// The JS thread only. The context's thread reports through tasks in the mailbox, which hold the
// session weakly; the environment keeps it alive while that thread runs.
class ContextSession : public Stoppable, public std::enable_shared_from_this<ContextSession> {
 public:
  explicit ContextSession(Environment& environment);

  // `projector` and `draft` may be null.
  Napi::Promise open(Napi::Env env, std::shared_ptr<Model> model,
                     std::shared_ptr<Projector> projector, std::shared_ptr<Model> draft,
                     const ContextOptions& options, Napi::Function on_news);
  void submit(const std::shared_ptr<Request>& request);
  void submit(const std::shared_ptr<Command>& command);
  void cancel(RequestId id);
  Napi::Object stats(Napi::Env env) const;
  Napi::Promise close(Napi::Env env);

  // Closes without a promise: the handle was collected.
  void abandon();

  void stop() override;
  bool ends_by(Deadline deadline) override;
  void release(bool ended) override;

 private:
  // kBroken: the engine failed inside, and the thread has ended; every request fails.
  enum class State { kEmpty, kOpening, kOpen, kBroken, kClosing, kClosed };

  using Report = void (ContextSession::*)(Napi::Env);
  std::function<void()> reporter(Report report);

  void opened(Napi::Env env, const ContextInfo& info);
  void failed(Napi::Env env, const Failure& failure);
  void deliver(Napi::Env env);
  void closed(Napi::Env env);
  void tell(Napi::Env env, const std::vector<News>& news);
  void end_opening();
  void expect(const std::shared_ptr<Order>& order);

  Environment& environment_;
  const std::shared_ptr<Mailbox> mailbox_;

  State state_ = State::kEmpty;
  Failure breakdown_;  // why, if it is broken
  std::optional<Napi::Promise::Deferred> opening_;
  std::vector<Napi::Promise::Deferred> closing_;
  // Strong only while an order is pending. The function's closure holds the handle: this way a
  // context that nobody uses can be collected.
  Napi::FunctionReference on_news_;
  std::unordered_map<RequestId, std::shared_ptr<Order>> pending_;
  std::unique_ptr<Context> context_;
};

class ContextHandle : public Napi::ObjectWrap<ContextHandle> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit ContextHandle(const Napi::CallbackInfo& info);
  ~ContextHandle() override;

 private:
  using Method = Napi::Value (ContextHandle::*)(const Napi::CallbackInfo&);
  template <Method method>
  Napi::Value guarded(const Napi::CallbackInfo& info) {
    return entry(info.Env(), [&] { return (this->*method)(info); });
  }

  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value command(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelSession> model_;
  std::shared_ptr<ContextSession> session_;
};

}  // namespace cria::binding
