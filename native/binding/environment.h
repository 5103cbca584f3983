// What belongs to one JS environment (the main thread or a worker thread): its mailbox, its log
// handler, and everything with a thread, which has to be stopped before the environment is gone.
#pragma once

#include <napi.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "binding/mailbox.h"

namespace cria::binding {

using Deadline = std::chrono::steady_clock::time_point;

// Something with a thread of its own. The JS thread calls these functions in this order when the
// environment ends; the first two also when the process exits without ending it.
class Stoppable {
 public:
  virtual ~Stoppable() = default;
  virtual void stop() = 0;
  // Whether the thread has ended by the deadline.
  virtual bool ends_by(Deadline deadline) = 0;
  // Frees everything that depends on the environment. A thread that has not ended keeps what it
  // uses.
  virtual void release(bool ended) = 0;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Keeps it alive until it is removed, or stopped at the end of the environment.
  void add(std::shared_ptr<Stoppable> stoppable);
  void remove(const Stoppable* stoppable);

  // Null or undefined removes the handler.
  void set_log_handler(Napi::Value handler);

  // What is registered last for the process's exit runs first: from now on that is what stops our
  // threads. To be called when drivers may have registered something.
  static bool stop_first_at_exit();

 private:
  static void on_process_exit(void*);
  void shut_down();
  void halt();
  Deadline stop_all();
  void remove_log_handler();

  const std::shared_ptr<Mailbox> mailbox_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::unordered_set<std::shared_ptr<Stoppable>> stoppables_;
  std::shared_ptr<Napi::FunctionReference> log_handler_;  // the JS thread's alone
  int log_listener_ = 0;
};

}  // namespace cria::binding
