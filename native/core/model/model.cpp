#include "core/model/model.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/model_check.h"
#include "core/model/model_files.h"

namespace cria {

namespace {

// The rest of a GPU's memory is for compute buffers and the cache of a context.
constexpr double kShareForWeights = 0.8;

std::vector<ggml_backend_dev_t> devices_by_name(const std::vector<std::string>& names) {
  std::vector<ggml_backend_dev_t> devices;
  for (const std::string& name : names) {
    ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
    if (device == nullptr) {
      throw Error(code::kInvalidArgument,
                  "Expected `devices` to hold names from listDevices(), got \"" + name + "\".");
    }
    devices.push_back(device);
  }
  devices.push_back(nullptr);  // llama.cpp's end of list
  return devices;
}

// For llama.cpp any negative number means all layers. How many fit is estimated from the file's
// size, as if all layers were equal.
int32_t gpu_layers_of(const ModelOptions& options) {
  if (options.gpu_layers >= 0) return options.gpu_layers;
  if (options.gpu_layers == ModelOptions::kAllLayers) return -1;
  const auto room = static_cast<double>(backend::gpu_memory_free()) * kShareForWeights;
  if (room == 0) return 0;

  llama_model_params params = llama_model_default_params();
  params.no_alloc = true;
  llama_model* outline = llama_model_load_from_file(options.path.c_str(), params);
  if (outline == nullptr) return -1;  // the load itself will say why
  const auto size = static_cast<double>(llama_model_size(outline));
  const int32_t layers = llama_model_n_layer(outline) + 1;  // and the output layer
  llama_model_free(outline);
  return size <= room ? -1 : static_cast<int32_t>(layers * room / size);
}

// As llama.cpp shows a value.
std::string shown(const decltype(MetadataOverride::second)& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  return std::to_string(std::get<double>(value));
}

llama_load_mode load_mode_of(const ModelOptions& options) {
  if (options.mmap) return options.mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_MMAP;
  return options.mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE;
}

}  // namespace

Model::Facts Model::check(const ModelOptions& options, const std::function<bool()>& goes_on,
                          std::vector<llama_model_kv_override>& overrides) {
  const ModelFiles files(options.path, goes_on);
  overrides = read_overrides(options.metadata_overrides, files.header());
  const Metadata metadata(files.header(), options.metadata_overrides);
  try {
    check_tokenizer(metadata);
    if (!options.vocab_only) {
      check_hyperparameters(metadata);
      check_tensors(metadata, files.tensors());
    }
  } catch (const Error& error) {
    if (error.code() != code::kModelInvalid || error.what()[0] == '"') throw;
    throw Error(error.code(),
                "\"" + options.path + "\" is not a model that can be run: " + error.what() + ".");
  }
  return {metadata.keys(), files.fingerprint(),
          static_cast<int32_t>(position_rows(metadata, files.tensors()))};
}

std::shared_ptr<Model> Model::load(const ModelOptions& options,
                                   const std::function<bool(float)>& on_progress) {
  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;

  std::vector<ggml_backend_dev_t> devices = devices_by_name(options.devices);
  std::vector<llama_model_kv_override> overrides;
  Facts facts = check(
      options, [&] { return on_progress(0); }, overrides);
  backend::open_devices();
  std::vector<float> split = options.tensor_split;
  split.resize(llama_max_devices(), 0.0F);

  struct Progress {
    const std::function<bool(float)>& report;
    bool aborted = false;
  } progress{on_progress};

  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = gpu_layers_of(options);
  if (!options.devices.empty()) params.devices = devices.data();
  params.split_mode = options.split_mode;
  if (!options.tensor_split.empty()) params.tensor_split = split.data();
  params.main_gpu = options.main_gpu;
  params.load_mode = load_mode_of(options);
  params.check_tensors = options.check_tensors;
  params.vocab_only = options.vocab_only;
  if (!overrides.empty()) params.kv_overrides = overrides.data();
  params.progress_callback_user_data = &progress;
  params.progress_callback = [](float fraction, void* data) {
    auto* self = static_cast<Progress*>(data);
    if (!self->report(fraction)) self->aborted = true;
    return !self->aborted;
  };

  const auto out_of_memory = [&](const std::string& reason) {
    return Error(code::kOutOfMemory, "Not enough memory to load \"" + options.path + "\"" + reason +
                                         ". Free some, load fewer layers on the GPU "
                                         "(`gpuLayers`), or take a smaller model.");
  };
  llama_model* model = nullptr;
  try {
    model = llama_model_load_from_file(options.path.c_str(), params);
  } catch (const std::bad_alloc&) {
    throw out_of_memory("");
  } catch (const Error& error) {
    // An assertion of llama.cpp about the file's contents.
    if (error.code() != code::kInternal) throw;
    throw Error(code::kModelInvalid,
                "\"" + options.path + "\" could not be loaded: " + error.what());
  }
  if (progress.aborted) {
    if (model != nullptr) llama_model_free(model);
    throw Error(code::kDisposed, "The model was disposed while it was loading.");
  }
  if (model == nullptr) {
    const char* why = errors.code(code::kModelInvalid);
    if (why == code::kOutOfMemory) throw out_of_memory(": " + errors.reason(""));
    if (why == code::kDeviceLost) {
      throw Error(why, "\"" + options.path + "\" could not be loaded: " + errors.reason("") +
                           ". The GPU stopped working: start the process again, or use the CPU.");
    }
    throw Error(code::kModelInvalid,
                "\"" + options.path + "\" could not be loaded: " +
                    errors.reason("llama.cpp does not know this kind of model") +
                    ". Expected a complete GGUF file of a supported model.");
  }
  const std::shared_ptr<Model> loaded(new Model(model, options, std::move(facts)));
  loaded->vocabulary().belong_to(loaded);
  return loaded;
}

Model::Model(llama_model* model, const ModelOptions& options, Facts facts)
    : model_(model),
      facts_(std::move(facts)),
      vocabulary_(llama_model_get_vocab(model)),
      vocab_only_(options.vocab_only),
      may_use_gpu_(backend::any_gpu(options.devices)),
      identity_(facts_.fingerprint) {
  for (const auto& [key, value] : options.metadata_overrides) {
    identity_ += key + '\0' + shown(value) + '\0';
    overridden_[key] = shown(value);
  }
}

Model::~Model() { llama_model_free(model_); }

bool Model::generates() const {
  if (!llama_model_has_decoder(model_) || llama_model_has_encoder(model_)) return false;
  if (llama_model_is_diffusion(model_)) return false;
  return metadata(metadata("general.architecture") + ".attention.causal") != "false";
}

std::string Model::metadata(const std::string& key) const {
  const auto other = overridden_.find(key);
  if (other != overridden_.end()) return other->second;
  const int32_t length = llama_model_meta_val_str(model_, key.c_str(), nullptr, 0);
  if (length < 0) return {};
  std::string value(static_cast<size_t>(length) + 1, '\0');
  llama_model_meta_val_str(model_, key.c_str(), value.data(), value.size());
  value.pop_back();  // the terminating zero
  return value;
}

std::vector<std::pair<std::string, std::string>> Model::metadata() const {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const std::string& key : facts_.keys) {
    const bool is_list = llama_model_meta_val_str(model_, key.c_str(), nullptr, 0) < 0;
    if (!is_list || overridden_.count(key) > 0) entries.emplace_back(key, metadata(key));
  }
  return entries;
}

uint64_t Model::cache_width() const {
  if (vocab_only_) return 0;  // there are no layers, and to ask for their heads is an assertion
  const int32_t heads = std::max(llama_model_n_head(model_), 1);
  const auto head_width = static_cast<uint64_t>(llama_model_n_embd(model_)) / heads;
  return head_width * llama_model_n_head_kv(model_) * llama_model_n_layer(model_);
}

int64_t Model::hyperparameter(const std::string& name) const {
  const std::string value = metadata(metadata("general.architecture") + "." + name);
  return std::strtoll(value.c_str(), nullptr, 10);
}

}  // namespace cria
