#include "binding/mailbox.h"

#include <utility>

namespace cria::binding {

Mailbox::Mailbox(Napi::Env env) : env_(env) {
  napi_value name = Napi::String::New(env, "cria");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, &Mailbox::drain, &function_);
  if (status != napi_ok) throw Napi::Error::New(env);
  napi_unref_threadsafe_function(env, function_);
}

Mailbox::~Mailbox() { close(); }

bool Mailbox::post(Task task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return false;
  tasks_.push_back(std::move(task));
  if (woken_) return true;
  woken_ = true;
  // Anything but ok means that the environment is closing: the function must not be used again.
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) != napi_ok) {
    closed_ = true;
  }
  return !closed_;
}

void Mailbox::hold() {
  if (held_++ == 0 && !closed_) napi_ref_threadsafe_function(env_, function_);
}

void Mailbox::release() {
  if (--held_ == 0 && !closed_) napi_unref_threadsafe_function(env_, function_);
}

void Mailbox::close() {
  std::vector<Task> dropped;  // destroyed outside the lock
  std::lock_guard<std::mutex> lock(mutex_);
  dropped.swap(tasks_);
  if (std::exchange(closed_, true)) return;
  // A worker's environment waits for this; Node deletes the function afterwards.
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

void Mailbox::mute() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

void Mailbox::drain(napi_env env, napi_value /*callback*/, void* self, void* /*data*/) {
  if (env == nullptr) return;  // the environment is being torn down
  auto* mailbox = static_cast<Mailbox*>(self);
  std::vector<Task> tasks;
  {
    std::lock_guard<std::mutex> lock(mailbox->mutex_);
    mailbox->woken_ = false;
    tasks.swap(mailbox->tasks_);
  }
  for (const Task& task : tasks) {
    try {
      const Napi::HandleScope scope(env);
      task(env);
    } catch (const Napi::Error&) {
      // No function of lib/ that is called here throws. So this is V8 refusing to run JS in an
      // environment that is being terminated, and nobody is left to report it to.
    }
  }
}

}  // namespace cria::binding
