#include "core/model/model_outline.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/model_params.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// What "auto" leaves free on each device, to drivers, other programs and larger contexts: as much
// as llama.cpp's own fitting does, on small devices less.
constexpr uint64_t kMargin = uint64_t{1} << 30;
constexpr uint64_t kMarginShare = 10;

uint64_t margin_of(ggml_backend_dev_t device) {
  size_t free = 0;
  size_t total = 0;
  ggml_backend_dev_memory(device, &free, &total);
  return std::min<uint64_t>(kMargin, total / kMarginShare);
}

llama_model_kv_override override_of(const std::string& key) {
  llama_model_kv_override entry{};
  std::snprintf(entry.key, sizeof entry.key, "%s", key.c_str());
  return entry;
}

// The vocabulary's names are most of what loading takes. Without them only their number counts.
std::vector<llama_model_kv_override> without_vocabulary(
    std::vector<llama_model_kv_override> overrides, uint64_t size,
    const std::string& architecture) {
  if (size == 0) return overrides;
  if (overrides.empty()) overrides.emplace_back();  // an empty key ends the list
  llama_model_kv_override model = override_of("tokenizer.ggml.model");
  model.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
  std::snprintf(model.val_str, sizeof model.val_str, "no_vocab");
  llama_model_kv_override count = override_of(architecture + ".vocab_size");
  count.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
  count.val_i64 = static_cast<int64_t>(size);
  overrides.insert(overrides.begin(), {model, count});  // of two values the first one counts
  return overrides;
}

}  // namespace

LlamaContext create_llama_context(llama_model* model, const llama_context_params& params) {
  const backend::ErrorCapture errors;
  LlamaContext context(llama_init_from_model(model, params));
  rpc::throw_if_lost();
  if (context) return context;
  const bool silent = errors.reason("").empty();
  throw Error(
      errors.code(silent ? code::kOutOfMemory : code::kUnsupported),
      "The context could not be created: " + errors.reason("it is likely that memory ran out."));
}

void leave_behind(LlamaContext context) {
  static std::mutex mutex;
  // Kept in sight, so that leak checkers tell it from what was forgotten.
  static auto* const all = new std::vector<LlamaContext>();
  const std::lock_guard<std::mutex> lock(mutex);
  all->push_back(std::move(context));
}

void refuse_model(const std::string& path, const backend::ErrorCapture& errors,
                  const std::string& otherwise) {
  rpc::throw_if_lost();
  const char* why = errors.code(code::kModelInvalid);
  const std::string reason = errors.reason(otherwise);
  if (why == code::kOutOfMemory) {
    throw Error(why, "Not enough memory to load \"" + path + "\": " + reason +
                         ". Load it with fewer `gpuLayers`, or take a smaller one.");
  }
  if (why == code::kDeviceLost) {
    throw Error(why, "\"" + path + "\" could not be loaded: " + reason +
                         ". The GPU stopped working: start the process again, or use the CPU.");
  }
  throw Error(code::kModelInvalid, "\"" + path + "\" could not be loaded: " + reason +
                                       ". Expected a complete GGUF file of a supported model.");
}

ModelOutline::ModelOutline(const ModelOptions& options,
                           const std::vector<llama_model_kv_override>& overrides,
                           uint64_t vocabulary_size, const std::string& architecture,
                           const std::function<bool()>& goes_on)
    : options_(options), overrides_(without_vocabulary(overrides, vocabulary_size, architecture)) {
  const backend::Silence silence;
  options_.vocab_only = false;
  if (devices_for(options_).empty()) options_.gpu_layers = 0;
  decide_split();
  if (options_.gpu_layers == ModelOptions::kFittingLayers) {
    decide_layers(goes_on);
  } else {
    model_ = load(options_.gpu_layers);
  }
}

ModelOutline::LlamaModel ModelOutline::load(int32_t gpu_layers) const {
  ModelOptions options = options_;
  options.gpu_layers = gpu_layers;
  ModelParams model_params(options, overrides_);
  llama_model_params params = model_params.params();
  params.no_alloc = true;
  params.load_mode = LLAMA_LOAD_MODE_NONE;  // the only one that goes with it
  params.check_tensors = false;
  const backend::ErrorCapture errors;
  LlamaModel model(llama_model_load_from_file(options.path.c_str(), params));
  if (model) return model;
  refuse_model(options.path, errors, "llama.cpp does not know this kind of model");
}

// As llama.cpp does it. But free memory is another once the weights lie in it, and what is measured
// then has to be spread as the weights are.
void ModelOutline::decide_split() {
  if (options_.split_mode != LLAMA_SPLIT_MODE_LAYER) return;
  std::vector<float>& split = options_.tensor_split;
  if (std::any_of(split.begin(), split.end(), [](float share) { return share > 0; })) return;
  split.clear();
  const std::vector<ggml_backend_dev_t> devices = devices_for(options_);
  if (devices.size() < 2) return;
  for (ggml_backend_dev_t device : devices)
    split.push_back(static_cast<float>(free_memory(device)));
}

// The most layers that fit together with the usual context. More layers take more memory on every
// device, so halving finds them.
void ModelOutline::decide_layers(const std::function<bool()>& goes_on) {
  const auto take = [&](int32_t layers) {
    if (!goes_on()) {
      throw Error(code::kDisposed, "The model was disposed while it was loading.");
    }
    model_.reset();
    model_ = load(layers);
    options_.gpu_layers = layers;
  };
  take(ModelOptions::kAllLayers);
  // llama.cpp does not tell how such a model is spread over the devices.
  if (options_.split_mode == LLAMA_SPLIT_MODE_TENSOR || fits()) return;
  int32_t fitting = 0;
  int32_t too_many = llama_model_n_layer(model_.get()) + 1;  // the output layer is one, too
  while (too_many - fitting > 1) {
    const int32_t middle = fitting + (too_many - fitting) / 2;
    take(middle);
    (fits() ? fitting : too_many) = middle;
  }
  if (options_.gpu_layers != fitting) take(fitting);
}

bool ModelOutline::fits() const {
  const auto trained = static_cast<uint32_t>(std::max(llama_model_n_ctx_train(model_.get()), 0));
  llama_context_params params = llama_context_default_params();
  params.n_ctx = trained > 0 ? std::min(trained, kUsualContext) : kUsualContext;
  params.n_outputs_max = kRowsOfLogits;
  MemoryBreakdown memory;
  try {
    memory = measure(params, 1);
  } catch (const Error& error) {
    if (error.code() == code::kWorkerUnreachable) throw;
    return true;  // nobody else can make a context of it, either
  }
  return std::all_of(memory.begin() + 1, memory.end(), [](const DeviceMemory& one) {
    const uint64_t needed = one.model + one.cache + one.compute + margin_of(one.device);
    return needed <= free_memory(one.device);
  });
}

MemoryBreakdown ModelOutline::measure(const llama_context_params& params, uint64_t rows) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const backend::Silence silence;
  const LlamaContext context = create_llama_context(model_.get(), params);
  MemoryBreakdown memory = memory_of(context.get());
  const auto vocabulary =
      static_cast<uint64_t>(llama_vocab_n_tokens(llama_model_get_vocab(model_.get())));
  const auto width = static_cast<uint64_t>(llama_model_n_embd_out(model_.get()));
  memory.front().compute += rows * (vocabulary + (params.embeddings ? width : 0)) * sizeof(float);
  return by_device(std::move(memory));
}

// In split mode "tensor" all devices are one to llama.cpp, with whole tensors. Each has its share
// of them, but for small ones, which each has whole, and computes in as much as one would.
MemoryBreakdown ModelOutline::by_device(MemoryBreakdown memory) const {
  if (options_.split_mode != LLAMA_SPLIT_MODE_TENSOR || memory.size() != 2) return memory;
  const DeviceMemory all = memory.back();
  memory.pop_back();
  const std::vector<ggml_backend_dev_t> devices = devices_for(options_);
  std::vector<float> shares = options_.tensor_split;
  shares.resize(devices.size(), 0.0F);
  double sum = 0;
  for (const float share : shares)
    sum += share;
  for (size_t i = 0; i < devices.size(); ++i) {
    const double share = sum > 0 ? shares[i] / sum : 1.0 / static_cast<double>(devices.size());
    const auto part = [&](uint64_t bytes) {
      return static_cast<uint64_t>(share * static_cast<double>(bytes));
    };
    memory.push_back({devices[i], part(all.model), part(all.cache), all.compute});
  }
  return memory;
}

}  // namespace cria
