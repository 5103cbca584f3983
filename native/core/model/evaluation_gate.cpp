#include "core/model/evaluation_gate.h"

namespace cria {

llama_adapter_lora* EvaluationGate::load(const std::function<llama_adapter_lora*()>& load) {
  std::unique_lock<std::mutex> lock(mutex_);
  ++loaders_;
  changed_.wait(lock, [this] { return inside_ == 0 && !loading_; });
  --loaders_;
  loading_ = true;
  struct Reopen {
    EvaluationGate& gate;
    std::unique_lock<std::mutex>& lock;
    ~Reopen() {
      lock.lock();
      gate.loading_ = false;
      gate.free_retired();
      gate.changed_.notify_all();
    }
  } const reopen{*this, lock};
  lock.unlock();
  return load();
}

void EvaluationGate::free(llama_adapter_lora* adapter) {
  const std::lock_guard<std::mutex> lock(mutex_);
  retired_.push_back(adapter);
  if (inside_ == 0 && !loading_) free_retired();
}

void EvaluationGate::enter() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return loaders_ == 0 && !loading_; });
  ++inside_;
}

void EvaluationGate::leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--inside_ > 0) return;
  free_retired();
  changed_.notify_all();
}

void EvaluationGate::free_retired() {
  for (llama_adapter_lora* adapter : retired_)
    llama_adapter_lora_free(adapter);
  retired_.clear();
}

}  // namespace cria
