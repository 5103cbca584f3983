// A model as llama.cpp would load it, without memory for its weights and without its vocabulary: on
// it is measured what the real one and its contexts take. Loading it takes about as long as reading
// the file's header, measuring as long as laying out a few graphs.
#pragma once

#include <llama.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/model/backend.h"
#include "core/model/memory_breakdown.h"
#include "core/model/model_options.h"

namespace cria {

// How many rows of logits the compute buffer has room for. llama.cpp's default is one for each
// token of a batch, which takes 262 MB with a vocabulary of 128K. One for each sequence would do,
// but unless the number is a multiple of 16, tensors lie across cache lines: 512 tokens of a prompt
// took 115 ms instead of 93.
inline constexpr uint32_t kRowsOfLogits = 64;

// The context that "auto" leaves room for, and that a context is by itself.
inline constexpr uint32_t kUsualContext = 8192;

// Creates a context of a model's. Throws ERR_OUT_OF_MEMORY, ERR_DEVICE_LOST or ERR_UNSUPPORTED with
// llama.cpp's reason, or ERR_WORKER_UNREACHABLE.
struct FreeContext {
  void operator()(llama_context* context) const { llama_free(context); }
};
using LlamaContext = std::unique_ptr<llama_context, FreeContext>;
LlamaContext create_llama_context(llama_model* model, const llama_context_params& params);

// Never frees it: its destructor would hand a device that is lost more work, and throw. Any thread.
void leave_behind(LlamaContext context);

// Throws ERR_OUT_OF_MEMORY, ERR_DEVICE_LOST, ERR_WORKER_UNREACHABLE or ERR_MODEL_INVALID: llama.cpp
// has loaded no model, and logged this reason.
[[noreturn]] void refuse_model(const std::string& path, const backend::ErrorCapture& errors,
                               const std::string& otherwise);

class ModelOutline {
 public:
  // The files were checked before. `overrides` as llama.cpp takes them; `vocabulary_size` is 0 if
  // the file has no list of tokens. What the options leave to llama.cpp, or to "auto", is decided
  // here, by the memory that is free now.
  ModelOutline(const ModelOptions& options, const std::vector<llama_model_kv_override>& overrides,
               uint64_t vocabulary_size, const std::string& architecture,
               const std::function<bool()>& goes_on);

  // Of the same file as options() say, as long as nobody else has the memory.
  const ModelOptions& options() const { return options_; }
  const llama_model* handle() const { return model_.get(); }

  // What a context with these parameters takes, weights included. `rows`: of the outputs that its
  // batches may have. Throws as create_llama_context() does. Any thread, one after the other.
  MemoryBreakdown measure(const llama_context_params& params, uint64_t rows) const;

 private:
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  using LlamaModel = std::unique_ptr<llama_model, Free>;

  LlamaModel load(int32_t gpu_layers) const;
  void decide_split();
  void decide_layers(const std::function<bool()>& goes_on);
  bool fits() const;
  MemoryBreakdown by_device(MemoryBreakdown memory) const;

  ModelOptions options_;
  std::vector<llama_model_kv_override> overrides_;
  LlamaModel model_;
  mutable std::mutex mutex_;  // a context that is created writes to the model
};

}  // namespace cria
