#include "environment.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/backend.h"

namespace cria::binding {

Environment::Environment(Napi::Env env) : mailbox_(std::make_shared<Mailbox>(env)) {
  // After the mailbox: hooks run in reverse order, and ours must find the thread-safe function
  // alive.
  env.AddCleanupHook([this] { shut_down(); });
}

Environment::~Environment() = default;

void Environment::add(std::shared_ptr<Stoppable> stoppable) {
  stoppables_.insert(std::move(stoppable));
}

void Environment::remove(const Stoppable* stoppable) {
  const auto found = std::find_if(stoppables_.begin(), stoppables_.end(),
                                  [&](const auto& held) { return held.get() == stoppable; });
  if (found != stoppables_.end()) stoppables_.erase(found);
}

void Environment::set_log_handler(Napi::Value handler) {
  remove_log_handler();
  if (!handler.IsFunction()) return;
  log_handler_ =
      std::make_shared<Napi::FunctionReference>(Napi::Persistent(handler.As<Napi::Function>()));
  // Weak: the reference is to be deleted on the JS thread only.
  std::weak_ptr<Napi::FunctionReference> weak = log_handler_;
  std::shared_ptr<Mailbox> mailbox = mailbox_;
  log_listener_ =
      backend::add_log_listener([weak, mailbox](const char* level, const std::string& message) {
        mailbox->post([weak, level, message](Napi::Env env) {
          const std::shared_ptr<Napi::FunctionReference> handler = weak.lock();
          if (!handler) return;
          handler->Call({Napi::String::New(env, level), Napi::String::New(env, message)});
        });
      });
}

void Environment::remove_log_handler() {
  if (log_listener_ != 0) backend::remove_log_listener(std::exchange(log_listener_, 0));
  log_handler_.reset();
}

void Environment::shut_down() {
  mailbox_->close();
  remove_log_handler();
  for (const auto& stoppable : stoppables_)
    stoppable->stop();
  for (const auto& stoppable : stoppables_)
    stoppable->join();
  stoppables_.clear();
}

}  // namespace cria::binding
