#include "binding/environment.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "binding/process_exit.h"
#include "core/model/backend.h"

namespace cria::binding {

namespace {

// For all threads together. A thread that still works then (ggml stops between two operations of a
// graph, the tokenizer between two pieces of a text) is left behind with what it uses.
constexpr std::chrono::milliseconds kPatience{1500};

// Leaked: the process may exit while environments end on other threads.
struct Living {
  std::mutex mutex;
  std::unordered_set<Environment*> environments;
};

Living& living() {
  static Living* instance = new Living();
  return *instance;
}

}  // namespace

Environment::Environment(Napi::Env env) : mailbox_(std::make_shared<Mailbox>(env)) {
  // After the mailbox: hooks run in reverse order, and ours needs the thread-safe function alive.
  env.AddCleanupHook([this] { shut_down(); });
  std::lock_guard<std::mutex> lock(living().mutex);
  living().environments.insert(this);
  [[maybe_unused]] static const bool registered = stop_first_at_exit();
}

bool Environment::stop_first_at_exit() { return at_process_exit(&Environment::on_process_exit); }

Environment::~Environment() {
  std::lock_guard<std::mutex> lock(living().mutex);
  living().environments.erase(this);
}

// process.exit() on the main thread ends no environment and runs no cleanup hooks: threads would go
// on computing while the process is torn down. Node has stopped workers before.
void Environment::on_process_exit(void*) {
  std::vector<Environment*> ours;
  {
    std::lock_guard<std::mutex> lock(living().mutex);
    for (Environment* environment : living().environments) {
      if (environment->thread_ == std::this_thread::get_id()) ours.push_back(environment);
    }
  }
  for (Environment* environment : ours)
    environment->halt();
}

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
  // Weak, since the reference may be deleted on the JS thread only.
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
  const Deadline deadline = stop_all();
  for (const auto& stoppable : stoppables_)
    stoppable->release(stoppable->ends_by(deadline));
  stoppables_.clear();
}

// Calls no Node-API function, and frees nothing that the end of the process frees anyway.
void Environment::halt() {
  mailbox_->mute();
  const Deadline deadline = stop_all();
  for (const auto& stoppable : stoppables_)
    stoppable->ends_by(deadline);
}

// Asks all to stop before one is waited for. Returns the deadline for them.
Deadline Environment::stop_all() {
  for (const auto& stoppable : stoppables_)
    stoppable->stop();
  return std::chrono::steady_clock::now() + kPatience;
}

}  // namespace cria::binding
