// How much memory a llama_context and its model take, on each device: weights, KV cache, and what
// is computed in.
#pragma once

#include <ggml-backend.h>
#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

struct DeviceMemory {
  ggml_backend_dev_t device;
  uint64_t model = 0;
  uint64_t cache = 0;
  uint64_t compute = 0;
};

// The CPU comes first, then the model's devices in their order.
using MemoryBreakdown = std::vector<DeviceMemory>;

// What is allocated. Of a model that was loaded without memory (model_outline.h): what would be.
// Without the buffer of the outputs, which llama.cpp does not count.
MemoryBreakdown memory_of(const llama_context* context);

// The devices that a model was spread over, without the CPU.
std::vector<ggml_backend_dev_t> devices_of(const llama_model* model);

// In all of them together.
uint64_t cache_bytes(const MemoryBreakdown& memory);

}  // namespace cria
