// ModelOptions in llama.cpp's form.
#pragma once

#include <ggml-backend.h>
#include <llama.h>

#include <vector>

#include "core/model/model_options.h"

namespace cria {

// The devices besides the CPU that a model with these options is spread over: those that are named
// or, if none is, the GPUs. With split mode "none" the one that takes all. Throws
// ERR_INVALID_ARGUMENT for what does not exist, ERR_UNSUPPORTED if the mode needs a GPU.
std::vector<ggml_backend_dev_t> devices_for(const ModelOptions& options);

// Connects those of `devices` that are workers, and sets `workers`. Throws ERR_WORKER_UNREACHABLE.
void connect_workers(ModelOptions& options);

// Free bytes, as llama.cpp counts them: of a device that reports none, those of the machine.
uint64_t free_memory(ggml_backend_dev_t device);

// Owns what its llama_model_params point to. `gpu_layers` has to be decided.
class ModelParams {
 public:
  // `overrides`: empty, or ended by an empty key. They have to outlive this.
  ModelParams(const ModelOptions& options, const std::vector<llama_model_kv_override>& overrides);
  ModelParams(const ModelParams&) = delete;
  ModelParams& operator=(const ModelParams&) = delete;

  llama_model_params& params() { return params_; }

 private:
  std::vector<ggml_backend_dev_t> devices_;
  std::vector<float> split_;
  llama_model_params params_;
};

}  // namespace cria
