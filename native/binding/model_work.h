// Work with a loaded model off the JS thread, besides decoding: templates, tokenizing, measuring
// memory and media, and loading adapters. Each kind has a thread of its own, which starts when it
// is first needed: nothing waits for an untrusted template, and no short text for a long one.
#pragma once

#include <napi.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "binding/environment.h"
#include "core/model/error.h"
#include "core/model/worker.h"

namespace cria::binding {

enum class WorkLane { kTemplates, kShortTexts, kLongTexts, kMeasuring, kAdapters, kMedia };

// The JS thread only. The environment keeps it alive while it has threads.
class ModelWork : public Stoppable, public std::enable_shared_from_this<ModelWork> {
 public:
  using Stop = std::atomic<bool>;
  // Makes the JS value, on the JS thread.
  using Result = std::function<Napi::Value(Napi::Env)>;
  // Runs on the lane's thread. It owns what it uses, and ends soon after `stop` was set.
  using Job = std::function<Result(const Stop& stop)>;

  explicit ModelWork(Environment& environment);

  // `id`: not that of any other pending work.
  Napi::Promise start(Napi::Env env, int64_t id, WorkLane lane, Job job);
  // The promise still settles, once the job has ended.
  void cancel(int64_t id);

  // Rejects all pending work with ERR_DISPOSED at once. Resolves when no thread uses the model any
  // more.
  Napi::Promise close(Napi::Env env);
  void abandon();

  void stop() override;
  bool ends_by(Deadline deadline) override;
  void release(bool ended) override;

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    std::shared_ptr<Stop> stop;
  };

  void settle(Napi::Env env, int64_t id, const Result& result);
  void fail(Napi::Env env, int64_t id, const Failure& failure);
  void begin_close();
  void lane_closed(Napi::Env env);
  void closed(Napi::Env env);
  std::optional<Pending> take(int64_t id);

  Environment& environment_;
  const std::shared_ptr<Mailbox> mailbox_;
  bool closing_ = false;
  int open_lanes_ = 0;
  std::unordered_map<int64_t, Pending> pending_;
  std::vector<Napi::Promise::Deferred> waiting_;  // for the end
  std::array<std::optional<Worker>, 6> lanes_;    // last: their jobs use the mailbox
};

}  // namespace cria::binding
