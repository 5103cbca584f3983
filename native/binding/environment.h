// What belongs to one JS environment (the main thread, or a worker thread): its mailbox, its log
// handler, and everything that has a thread and must be stopped before the environment is gone.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_set>

#include "binding/mailbox.h"

namespace cria::binding {

// Something with a thread of its own.
class Stoppable {
 public:
  virtual ~Stoppable() = default;
  // Both on the JS thread: first all are asked to stop, then each is waited for.
  virtual void stop() = 0;
  virtual void join() = 0;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Keeps it alive until it is removed, or until the environment ends and it is stopped and joined.
  void add(std::shared_ptr<Stoppable> stoppable);
  void remove(const Stoppable* stoppable);

  // Null or undefined removes the handler.
  void set_log_handler(Napi::Value handler);

  // Idempotent. The cleanup hook's doing; but process.exit() on the main thread runs no hooks and
  // goes on to destroy ggml's static objects, so there the "exit" event calls it.
  void shut_down();

 private:
  void remove_log_handler();

  const std::shared_ptr<Mailbox> mailbox_;
  std::unordered_set<std::shared_ptr<Stoppable>> stoppables_;
  std::shared_ptr<Napi::FunctionReference> log_handler_;  // the JS thread's alone
  int log_listener_ = 0;
};

}  // namespace cria::binding
