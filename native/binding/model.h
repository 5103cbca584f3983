// NativeModel of lib/internal/native.ts: the handle that JS holds, and the session behind it, which
// outlives the handle while work is in flight.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/model_work.h"
#include "core/chat/chat_template.h"
#include "core/media/projector.h"
#include "core/model/error.h"
#include "core/model/model.h"
#include "core/model/worker.h"

namespace cria::binding {

// The JS thread only, except for what it shares with the loading thread. Tasks in the mailbox hold
// it weakly; the environment keeps it alive while its thread runs.
class ModelSession : public Stoppable, public std::enable_shared_from_this<ModelSession> {
 public:
  explicit ModelSession(Environment& environment);

  // `projector`: the path of its file, empty: none.
  Napi::Promise load(Napi::Env env, ModelOptions options, std::string projector,
                     Napi::Value on_progress);
  Napi::Promise close(Napi::Env env);

  // Closes without a promise: the handle was collected.
  void abandon();

  // Throws ERR_DISPOSED before a load and after close().
  const std::shared_ptr<Model>& model() const;
  // Null without one.
  const std::shared_ptr<Projector>& projector() const { return projector_; }

  void stop() override;
  bool ends_by(Deadline deadline) override;
  void release(bool ended) override;

 private:
  enum class State { kEmpty, kLoading, kLoaded, kClosing, kClosed };

  // Shared by the loading thread and the JS thread. It may outlive the session.
  struct Progress {
    std::atomic<bool> abort{false};
    std::atomic<float> fraction{0};
    std::atomic<bool> told{true};  // false: a task that will report the fraction is on its way
  };

  void begin_close();
  void run_load(const ModelOptions& options, const std::string& projector, bool wants_progress);
  void loaded(Napi::Env env, std::shared_ptr<Model> model, std::shared_ptr<Projector> projector);
  void failed(Napi::Env env, const Failure& failure);
  void tell_progress(Napi::Env env);
  void closed(Napi::Env env);

  Environment& environment_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();

  State state_ = State::kEmpty;
  std::shared_ptr<Model> model_;
  std::shared_ptr<Projector> projector_;
  int64_t weight_ = 0;  // the external memory that V8 was told of
  std::optional<Napi::Promise::Deferred> loading_;
  std::vector<Napi::Promise::Deferred> closing_;
  Napi::FunctionReference on_progress_;
  std::unique_ptr<Worker> worker_;
};

class ModelHandle : public Napi::ObjectWrap<ModelHandle> {
 public:
  static Napi::Function define(Napi::Env env);
  // The session of a NativeModel; ERR_INVALID_ARGUMENT for anything else.
  static const std::shared_ptr<ModelSession>& session_of(Napi::Value value);

  explicit ModelHandle(const Napi::CallbackInfo& info);
  ~ModelHandle() override;

 private:
  using Method = Napi::Value (ModelHandle::*)(const Napi::CallbackInfo&);
  template <Method method>
  Napi::Value guarded(const Napi::CallbackInfo& info) {
    return entry(info.Env(), [&] { return (this->*method)(info); });
  }

  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value tokenize(const Napi::CallbackInfo& info);
  Napi::Value detokenize(const Napi::CallbackInfo& info);
  Napi::Value token_id(const Napi::CallbackInfo& info);
  Napi::Value is_end_of_generation(const Napi::CallbackInfo& info);
  Napi::Value render_template(const Napi::CallbackInfo& info);
  Napi::Value start_render(const Napi::CallbackInfo& info);
  Napi::Value start_format(const Napi::CallbackInfo& info);
  Napi::Value open_answer(const Napi::CallbackInfo& info);
  Napi::Value start_answer(const Napi::CallbackInfo& info);
  Napi::Value end_answer(const Napi::CallbackInfo& info);
  Napi::Value start_tokenize(const Napi::CallbackInfo& info);
  Napi::Value start_measure(const Napi::CallbackInfo& info);
  Napi::Value start_measure_projector(const Napi::CallbackInfo& info);
  Napi::Value start_media_rows(const Napi::CallbackInfo& info);
  Napi::Value start_adapter(const Napi::CallbackInfo& info);
  Napi::Value release_adapter(const Napi::CallbackInfo& info);
  Napi::Value cancel_work(const Napi::CallbackInfo& info);
  Napi::Value close_work(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelSession> session_;
  std::shared_ptr<ModelWork> work_;
  // Compiled templates do not refer to the model. These belong to the JS thread, the others to the
  // lane.
  ChatTemplates templates_;
  std::shared_ptr<ChatTemplates> work_templates_ = std::make_shared<ChatTemplates>();
};

}  // namespace cria::binding
