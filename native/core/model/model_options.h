// What a model is loaded with, as declared in lib/internal/native.ts and validated there.
#pragma once

#include <llama.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/model/metadata_overrides.h"
#include "core/model/remote_worker.h"

namespace cria {

struct ModelOptions {
  // Values of gpu_layers besides a number of layers.
  static constexpr int32_t kFittingLayers = -1;
  static constexpr int32_t kAllLayers = -2;

  std::string path;
  int32_t gpu_layers = kFittingLayers;
  std::vector<std::string> devices;  // empty: all
  std::chrono::milliseconds worker_silence{300'000};
  // Of those of `devices` that are URLs, once they are connected: in their order.
  std::vector<std::shared_ptr<RemoteWorker>> workers;
  llama_split_mode split_mode = LLAMA_SPLIT_MODE_LAYER;
  std::vector<float> tensor_split;  // empty: by free memory
  int32_t main_gpu = 0;
  bool mmap = true;
  bool mlock = false;
  bool check_tensors = false;
  bool vocab_only = false;
  bool mtp = false;  // layers that predict further tokens are loaded, too
  std::vector<MetadataOverride> metadata_overrides;
};

}  // namespace cria
