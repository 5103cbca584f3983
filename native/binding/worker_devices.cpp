#include "binding/worker_devices.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "core/model/remote_worker.h"
#include "core/model/worker.h"

namespace cria::binding {

namespace {

// These questions are answered at once, unless something is being computed.
constexpr std::chrono::milliseconds kSilence{10'000};

std::vector<backend::Device> ask(const std::string& url, const std::atomic<bool>& stopping) {
  const backend::AbortGuard guard;
  std::shared_ptr<RemoteWorker> worker;  // the watch goes before it
  rpc::StopWatch stop([&] { return stopping.load(); });
  worker = RemoteWorker::at(url, kSilence);
  stop.guard(worker->endpoint());
  std::vector<backend::Device> found;
  for (ggml_backend_dev_t device : worker->devices()) {
    size_t free = 0;
    size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    found.push_back({worker->name_of(device), "a worker's device", "rpc", total, free});
  }
  return found;
}

// The JS thread only. The environment keeps it alive until it has ended.
class Inquiry : public Stoppable, public std::enable_shared_from_this<Inquiry> {
 public:
  explicit Inquiry(Environment& environment)
      : environment_(environment), mailbox_(environment.mailbox()) {}

  Napi::Promise start(Napi::Env env, const std::string& url) {
    thread_ = std::make_unique<Worker>();
    answer_.emplace(Napi::Promise::Deferred::New(env));
    mailbox_->hold();
    environment_.add(shared_from_this());
    thread_->post([url, stopping = stopping_, weak = weak_from_this(), mailbox = mailbox_] {
      try {
        auto found = std::make_shared<const std::vector<backend::Device>>(ask(url, *stopping));
        mailbox->post_to(weak, [found](Inquiry& self, Napi::Env env) {
          self.settle(env, [&](const Napi::Promise::Deferred& answer) {
            answer.Resolve(from_devices(env, *found));
          });
        });
      } catch (...) {
        mailbox->post_to(weak, [failure = current_failure()](Inquiry& self, Napi::Env env) {
          self.settle(env, [&](const Napi::Promise::Deferred& answer) {
            answer.Reject(to_js(env, failure).Value());
          });
        });
      }
    });
    return answer_->Promise();
  }

  void stop() override { stopping_->store(true); }
  bool ends_by(Deadline deadline) override { return !thread_ || thread_->stop_by(deadline); }
  void release(bool /*ended*/) override { thread_.reset(); }

 private:
  template <typename Settle>
  void settle(Napi::Env /*env*/, const Settle& how) {
    const std::shared_ptr<Inquiry> self = shared_from_this();  // until the end of this function
    environment_.remove(this);
    mailbox_->release();
    thread_.reset();
    how(*std::exchange(answer_, std::nullopt));
  }

  Environment& environment_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<std::atomic<bool>> stopping_ = std::make_shared<std::atomic<bool>>(false);
  std::optional<Napi::Promise::Deferred> answer_;
  std::unique_ptr<Worker> thread_;
};

Napi::Value list_worker_devices(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&]() -> Napi::Value {
    const auto inquiry = std::make_shared<Inquiry>(Environment::of(info.Env()));
    return inquiry->start(info.Env(), to_text(info[0], "url"));
  });
}

}  // namespace

void define_worker_devices(Napi::Env env, Napi::Object exports) {
  exports.Set("listWorkerDevices",
              Napi::Function::New(env, list_worker_devices, "listWorkerDevices"));
}

}  // namespace cria::binding
