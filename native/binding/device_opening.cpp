#include "binding/device_opening.h"

#include <utility>

#include "binding/environment.h"
#include "core/model/backend.h"

namespace cria::binding {

namespace {

// Deletes itself.
class Opening : public Napi::AsyncWorker {
 public:
  Opening(Napi::Env env, std::function<void()> then)
      : AsyncWorker(env, "cria:open-devices"), then_(std::move(then)) {}

  void Execute() override {
    try {
      backend::open_devices();
    } catch (...) {
      // Thrown again by who comes to use them.
    }
    Environment::stop_first_at_exit();
  }
  void OnOK() override { then_(); }

 private:
  const std::function<void()> then_;
};

}  // namespace

void when_devices_are_open(Napi::Env env, std::function<void()> then) {
  if (backend::devices_are_open()) {
    then();
  } else {
    (new Opening(env, std::move(then)))->Queue();
  }
}

}  // namespace cria::binding
