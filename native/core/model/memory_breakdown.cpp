#include "core/model/memory_breakdown.h"

// The one header of llama.cpp besides its public ones and common/, seen by this file
// and core/speculation/hidden_rows.cpp. common/fit.h is built on it and no way around: it sets
// llama.cpp's logger to a variable on its stack, while other threads log, and never sets it back
// when an assertion fails.
#include <llama-ext.h>

#include <algorithm>

namespace cria {

namespace {

// Pinned memory, and weights that were packed for the CPU, are the CPU's, too.
bool is_host(ggml_backend_buffer_type_t type, ggml_backend_dev_t device) {
  return device == nullptr || ggml_backend_buft_is_host(type) ||
         ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ||
         ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

}  // namespace

MemoryBreakdown memory_of(const llama_context* context) {
  MemoryBreakdown memory;
  memory.push_back({ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)});
  for (ggml_backend_dev_t device : devices_of(llama_get_model(context)))
    memory.push_back({device});
  for (const auto& [type, bytes] : llama_get_memory_breakdown(context)) {
    ggml_backend_dev_t device = ggml_backend_buft_get_device(type);
    auto found = memory.begin();
    if (!is_host(type, device)) {
      found = std::find_if(memory.begin() + 1, memory.end(),
                           [&](const DeviceMemory& one) { return one.device == device; });
      if (found == memory.end()) found = memory.insert(found, {device});
    }
    found->model += bytes.model;
    found->cache += bytes.context;
    found->compute += bytes.compute;
  }
  return memory;
}

std::vector<ggml_backend_dev_t> devices_of(const llama_model* model) {
  std::vector<ggml_backend_dev_t> devices;
  for (int32_t i = 0; i < llama_model_n_devices(model); ++i)
    devices.push_back(llama_model_get_device(model, i));
  return devices;
}

uint64_t cache_bytes(const MemoryBreakdown& memory) {
  uint64_t bytes = 0;
  for (const DeviceMemory& one : memory)
    bytes += one.cache;
  return bytes;
}

}  // namespace cria
