// A llama_context, the one thread that ever touches it, and the queue in front of it. Requests are
// prepared on other threads (texts tokenized, files read), so that they block neither JS nor a
// running generation.
#pragma once

#include <ggml-cpu.h>
#include <llama.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/embedding/embedder.h"
#include "core/engine/preparer.h"
#include "core/engine/scheduler.h"
#include "core/engine/sequences.h"
#include "core/media/projector.h"
#include "core/model/compute_pool.h"
#include "core/model/error.h"
#include "core/model/memory_breakdown.h"
#include "core/model/model.h"
#include "core/model/token_watch.h"
#include "core/request/context_options.h"
#include "core/request/counters.h"
#include "core/request/outbox.h"
#include "core/request/request.h"
#include "core/speculation/draft_head.h"
#include "core/speculation/drafter.h"
#include "core/speculation/speculation.h"

namespace cria {

struct ContextInfo {
  int32_t threads;
  int32_t batch_threads;
  int32_t batch_size;
  int32_t micro_batch_size;
  MemoryBreakdown memory;
};

class Context {
 public:
  // Called on the context's thread.
  struct Events {
    std::function<void(const ContextInfo&)> opened;
    std::function<void(const Failure&)> failed;  // instead of `opened`
    std::function<void()> news;                  // the outbox has something to take
    std::function<void()> closed;  // the thread's last call, after `opened` or `failed`
  };

  // Starts the thread, which creates the llama_context. Throws std::system_error if the system
  // starts no thread.
  // `projector`: makes embeddings of media, if anyone. `draft`: guesses for the model, if anyone.
  Context(std::shared_ptr<Model> model, const ContextOptions& options, Events events,
          std::shared_ptr<Projector> projector = nullptr, std::shared_ptr<Model> draft = nullptr);

  // Stops and joins. On a CPU that takes no longer than one of ggml's operations, on a GPU than a
  // piece of a prompt.
  ~Context();

  // Whether the thread has ended by the deadline. If it has not, leak the context: the thread uses
  // it.
  bool ends_by(std::chrono::steady_clock::time_point deadline);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // Any thread, after `opened`. The outcome comes in the outbox, unless the context is stopped
  // first.
  void submit(const std::shared_ptr<Request>& request);
  void submit(const std::shared_ptr<Command>& command);

  // Any thread: an order was marked as cancelled.
  void interrupt();

  // Any thread: ends the context's thread soon, without waiting for it. What is pending is dropped
  // without an answer.
  void stop();

  // After `closed`: why the thread ended although nobody had stopped it (an assertion of ggml
  // failed, or a step threw). Everything unanswered has failed with it.
  const std::optional<Failure>& breakdown() const { return breakdown_; }

  Outbox& outbox() { return outbox_; }
  const Model& model() const { return *model_; }

  // Null before `opened` and after `closed`. For the thread that handles those events.
  const Counters* counters() const {
    if (embedder_) return &embedder_->counters();
    return scheduler_ ? &scheduler_->counters() : nullptr;
  }

 private:
  // What the preparing threads hand over.
  using Prepared = std::variant<std::unique_ptr<Task>, PreparedCommand, std::unique_ptr<Embedding>>;

  void run();
  bool open_and_tell();
  void tear_down();
  ContextInfo open();
  void create_context();
  void start_threads(ContextInfo& info);
  void attach_threads(llama_context* context, const ContextInfo& info) const;
  void open_drafts(const ContextInfo& info);
  void add_control_vectors();
  void open_scheduler(const ContextInfo& info, const MemoryKind& memory);
  void warm_up();
  void loop();
  void turn(std::vector<Prepared>& arrived);
  void break_down();
  bool idle() const;
  void start(Prepared prepared);
  void step();
  PreparedPrompt prepared(const Prompt& prompt) const;
  Prepared prepare(const std::shared_ptr<Command>& command);
  void prepare(const Order& order, const std::function<Prepared()>& make);
  void check_room(const TokenWatch::Progress& progress) const;
  void save(RequestId id, const std::string& path, StateFile file);
  uint64_t fingerprint() const;
  double copy_ms_per_token(const MemoryBreakdown& memory) const;
  static bool should_abort(void* self);
  static bool should_abort_draft(void* self);

  const std::shared_ptr<Model> model_;
  const std::shared_ptr<Projector> projector_;  // may be null, as the next
  const std::shared_ptr<Model> draft_;
  const ContextOptions options_;
  const Events events_;
  Outbox outbox_;

  int32_t micro_batch_ = 0;     // before `opened`
  bool checkpoints_ = false;    // as well: the cache goes back to checkpoints only
  DraftRule draft_rule_{};      // as well
  std::vector<float> control_;  // as well: what is added to the layers

  std::atomic<bool> stopping_{false};
  std::atomic<bool> interrupted_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Prepared> inbox_;

  std::optional<Failure> breakdown_;
  bool device_lost_ = false;
  bool ended_ = false;  // with mutex_ held
  std::condition_variable end_;

  // Shared with the pools' threads, which may outlive the context.
  const std::shared_ptr<Collapse> collapse_ = std::make_shared<Collapse>();

  // In order of creation: the sequences use the scheduler, the scheduler uses the llama_context,
  // and that uses the pools, and calls the embedder while it computes. There is either a scheduler
  // or an embedder.
  std::unique_ptr<ComputePool> pool_;
  std::unique_ptr<ComputePool> batch_pool_;  // null: the same as pool_
  std::unique_ptr<Embedder> embedder_;
  LlamaContext context_;
  std::unique_ptr<Drafter> drafter_;  // null where n-grams guess, or nobody
  DraftHead* draft_head_ = nullptr;   // the same, if it is one
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<Sequences> sequences_;  // whose slots are the scheduler's

  Preparer preparer_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cria
