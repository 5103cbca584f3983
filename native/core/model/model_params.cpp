#include "core/model/model_params.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/model/error.h"

namespace cria {

namespace {

bool is_gpu(ggml_backend_dev_t device) {
  const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
  return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

bool same_hardware(ggml_backend_dev_t one, ggml_backend_dev_t other) {
  ggml_backend_dev_props a{};
  ggml_backend_dev_props b{};
  ggml_backend_dev_get_props(one, &a);
  ggml_backend_dev_get_props(other, &b);
  return a.device_id != nullptr && b.device_id != nullptr &&
         std::strcmp(a.device_id, b.device_id) == 0;
}

// As llama.cpp chooses: each GPU once, and integrated ones only where there is no other.
std::vector<ggml_backend_dev_t> all_gpus() {
  std::vector<ggml_backend_dev_t> gpus;
  std::vector<ggml_backend_dev_t> integrated;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_IGPU) {
      if (integrated.empty() ||
          ggml_backend_dev_backend_reg(device) == ggml_backend_dev_backend_reg(integrated.back())) {
        integrated.push_back(device);
      }
    } else if (is_gpu(device) && std::none_of(gpus.begin(), gpus.end(), [&](auto* known) {
                 return same_hardware(known, device);
               })) {
      gpus.push_back(device);
    }
  }
  return gpus.empty() ? integrated : gpus;
}

// The CPU computes what is left over anyway. As a device of its own it would have threads that
// nothing of ours knows.
std::vector<ggml_backend_dev_t> named_gpus(const ModelOptions& options) {
  std::vector<ggml_backend_dev_t> gpus;
  auto worker = options.workers.begin();
  for (const std::string& name : options.devices) {
    if (RemoteWorker::is_url(name)) {
      if (worker == options.workers.end()) throw Error(code::kInternal, "No worker is connected.");
      const std::vector<ggml_backend_dev_t>& devices = (*worker++)->devices();
      gpus.insert(gpus.end(), devices.begin(), devices.end());
      continue;
    }
    ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
    if (device == nullptr) {
      throw Error(code::kInvalidArgument,
                  "Expected `devices` to hold names from listDevices(), got \"" + name + "\".");
    }
    if (is_gpu(device)) gpus.push_back(device);
  }
  return gpus;
}

llama_load_mode load_mode_of(const ModelOptions& options) {
  if (options.mmap) return options.mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP;
  return options.mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE;
}

}  // namespace

std::vector<ggml_backend_dev_t> devices_for(const ModelOptions& options) {
  std::vector<ggml_backend_dev_t> devices =
      options.devices.empty() ? all_gpus() : named_gpus(options);
  if (devices.size() > llama_max_devices()) {
    throw Error(code::kInvalidArgument, "Expected `devices` to have at most " +
                                            std::to_string(llama_max_devices()) +
                                            ", those of workers counted one by one, got " +
                                            std::to_string(devices.size()) + ".");
  }
  if (!options.workers.empty() && options.split_mode == LLAMA_SPLIT_MODE_TENSOR) {
    throw Error(code::kUnsupported,
                "`splitMode: \"tensor\"` is for GPUs of one machine: leave it out where `devices` "
                "has workers.");
  }
  if (devices.empty()) {
    if (options.split_mode != LLAMA_SPLIT_MODE_TENSOR) return devices;
    throw Error(code::kUnsupported,
                "`splitMode: \"tensor\"` needs a GPU, and there is none to use. Leave it out, or "
                "look at listDevices().");
  }
  if (options.split_mode == LLAMA_SPLIT_MODE_NONE) {
    const auto index = static_cast<size_t>(options.main_gpu);
    if (index >= devices.size()) {
      throw Error(code::kInvalidArgument,
                  "Expected `mainGpu` to be from 0 to " + std::to_string(devices.size() - 1) +
                      ", as many GPUs as there are, got " + std::to_string(index) + ".");
    }
    devices = {devices[index]};
  }
  if (options.split_mode != LLAMA_SPLIT_MODE_NONE && options.tensor_split.size() > devices.size()) {
    throw Error(code::kInvalidArgument, "Expected `tensorSplit` to have at most " +
                                            std::to_string(devices.size()) +
                                            " entries, one for each device, got " +
                                            std::to_string(options.tensor_split.size()) + ".");
  }
  return devices;
}

void connect_workers(ModelOptions& options) {
  options.workers.clear();
  for (const std::string& name : options.devices) {
    if (RemoteWorker::is_url(name)) {
      options.workers.push_back(RemoteWorker::at(name, options.worker_silence));
    }
  }
}

uint64_t free_memory(ggml_backend_dev_t device) {
  size_t free = 0;
  size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  if (free == 0 && total == 0) {
    ggml_backend_dev_memory(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), &free, &total);
  }
  return free;
}

ModelParams::ModelParams(const ModelOptions& options,
                         const std::vector<llama_model_kv_override>& overrides)
    : devices_(devices_for(options)), params_(llama_model_default_params()) {
  devices_.push_back(nullptr);  // llama.cpp's end of list
  const bool splits = options.split_mode != LLAMA_SPLIT_MODE_NONE && !options.tensor_split.empty();
  if (splits) {
    split_ = options.tensor_split;
    split_.resize(std::max(llama_max_devices(), split_.size()), 0.0F);
  }
  // For llama.cpp any negative number means all layers.
  params_.n_gpu_layers = options.gpu_layers;
  params_.devices = devices_.data();
  params_.split_mode = options.split_mode;
  params_.main_gpu = 0;  // of "none", whose one device alone is in the list
  if (splits) params_.tensor_split = split_.data();
  params_.load_mode = load_mode_of(options);
  params_.check_tensors = options.check_tensors;
  params_.vocab_only = options.vocab_only;
  params_.load_mtp = options.mtp;
  if (!overrides.empty()) params_.kv_overrides = overrides.data();
}

}  // namespace cria
