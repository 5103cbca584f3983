// Brings tasks from any thread to the JS thread of one environment: one thread-safe function,
// called once for all tasks that wait. It does not keep the process alive unless it is held.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace cria::binding {

class Mailbox {
 public:
  // Runs on the JS thread. When the environment ends it may be destroyed on any thread, so it must
  // own nothing that belongs to the environment.
  using Task = std::function<void(Napi::Env)>;

  explicit Mailbox(Napi::Env env);
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. False once the environment is closing: the task is dropped.
  bool post(Task task);

  // Likewise, with an object that may be gone by then: `use` is called with it only if it still
  // exists.
  template <typename Owner, typename Use>
  bool post_to(const std::weak_ptr<Owner>& owner, Use use) {
    return post([owner, use = std::move(use)](Napi::Env env) {
      if (const std::shared_ptr<Owner> self = owner.lock()) use(*self, env);
    });
  }

  // The JS thread. While the mailbox is held, the event loop stays alive. One release() for each
  // hold().
  void hold();
  void release();

  // The JS thread, from the environment's cleanup hook; idempotent. Afterwards no task runs.
  void close();

  // Likewise at the exit of the process, when Node-API must not be called any more.
  void mute();

 private:
  static void drain(napi_env env, napi_value callback, void* self, void* data);

  const napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  int held_ = 0;  // the JS thread only

  std::mutex mutex_;
  std::vector<Task> tasks_;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace cria::binding
