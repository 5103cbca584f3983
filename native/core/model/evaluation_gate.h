// Keeps a model's evaluations apart from changes of its adapters: llama.cpp has these in a set of
// the model's, which every context reads while it lays out a graph. Any thread.
#pragma once

#include <llama.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace cria {

class EvaluationGate {
 public:
  // While one lives, a context of the model's evaluates, or is created. One thread holds one at
  // most.
  class Pass {
   public:
    explicit Pass(EvaluationGate& gate) : gate_(gate) { gate_.enter(); }
    ~Pass() { gate_.leave(); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    EvaluationGate& gate_;
  };

  // Waits until nobody evaluates, and lets nobody begin until `load` has returned.
  llama_adapter_lora* load(const std::function<llama_adapter_lora*()>& load);

  // Frees what no context uses any more: at once or, where somebody evaluates, when that has ended.
  // Never waits. What is left when the model is freed is freed with it, by llama.cpp.
  void free(llama_adapter_lora* adapter);

 private:
  void enter();
  void leave();
  void free_retired();  // with the lock held, and nobody inside

  std::mutex mutex_;
  std::condition_variable changed_;
  int32_t inside_ = 0;
  int32_t loaders_ = 0;  // which wait: nobody new comes in
  bool loading_ = false;
  std::vector<llama_adapter_lora*> retired_;
};

}  // namespace cria
