#include "core/model/model.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/model_check.h"
#include "core/model/model_files.h"
#include "core/model/model_params.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// As llama.cpp shows a value.
std::string shown(const decltype(MetadataOverride::second)& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  return std::to_string(std::get<double>(value));
}

// What llama.cpp throws while it reads a file that was checked before.
template <typename Read>
auto blaming_the_file(const std::string& path, const Read& read) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    throw Error(code::kOutOfMemory, "Not enough memory to load \"" + path + "\".");
  } catch (const Error& error) {
    // An assertion of llama.cpp about the file's contents.
    if (error.code() != code::kInternal) throw;
    throw Error(code::kModelInvalid, "\"" + path + "\" could not be loaded: " + error.what());
  }
}

bool any_lost(const ModelOptions& options) {
  return std::any_of(options.workers.begin(), options.workers.end(),
                     [](const auto& worker) { return worker->endpoint().lost(); });
}

}  // namespace

Model::Facts Model::check(const ModelOptions& options, const std::function<bool()>& goes_on) {
  const ModelFiles files(options.path, goes_on);
  std::vector<llama_model_kv_override> overrides =
      read_overrides(options.metadata_overrides, files.header());
  const Metadata metadata(files.header(), options.metadata_overrides);
  try {
    check_architecture(metadata, options.vocab_only);
    check_tokenizer(metadata);
    if (!options.vocab_only) {
      check_hyperparameters(metadata);
      check_tensors(metadata, files.tensors());
      check_ids(metadata, files);
    }
  } catch (const Error& error) {
    if (error.code() == code::kUnsupported) {
      throw Error(error.code(), "\"" + options.path + "\" cannot be loaded: " + error.what() + ".");
    }
    if (error.code() != code::kModelInvalid || error.what()[0] == '"') throw;
    throw Error(error.code(),
                "\"" + options.path + "\" is not a model that can be run: " + error.what() + ".");
  }
  const GgufValue* tokens = files.header().find("tokenizer.ggml.tokens");
  std::unordered_map<std::string, TensorShape> shapes;
  for (const GgufTensor& tensor : files.tensors())
    shapes.emplace(tensor.name, tensor.shape);
  return {std::move(overrides),
          metadata.keys(),
          files.fingerprint(),
          metadata.architecture(),
          tokens == nullptr ? 0 : tokens->count,
          static_cast<int32_t>(position_rows(metadata, files.tensors())),
          std::move(shapes)};
}

std::unique_ptr<const ModelOutline> Model::make_outline(const ModelOptions& options,
                                                        const Facts& facts,
                                                        const std::function<bool()>& goes_on) {
  return blaming_the_file(options.path, [&] {
    return std::make_unique<const ModelOutline>(options, facts.overrides, facts.vocabulary_size,
                                                facts.architecture, goes_on);
  });
}

const ModelOutline& Model::outline(const std::function<bool()>& goes_on) const {
  const std::lock_guard<std::mutex> lock(outlining_);
  if (outline_) return *outline_;
  ModelOptions whole = options_;
  whole.vocab_only = false;
  outline_ = make_outline(whole, check(whole, goes_on), goes_on);
  return *outline_;
}

std::shared_ptr<Model> Model::load(const ModelOptions& given,
                                   const std::function<bool(float)>& on_progress) {
  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;

  // Of what is done so far: asked while a worker is waited for, too.
  float done = 0;
  const auto goes_on = [&] { return on_progress(done); };
  ModelOptions options = given;  // with the workers, which the watch goes before
  rpc::StopWatch stop([&] { return !goes_on(); });
  Facts facts = check(options, goes_on);
  backend::open_devices();
  connect_workers(options);
  for (const std::shared_ptr<RemoteWorker>& worker : options.workers)
    stop.guard(worker->endpoint());
  std::unique_ptr<const ModelOutline> outline;
  if (!options.vocab_only) outline = make_outline(options, facts, goes_on);

  struct Progress {
    const std::function<bool(float)>& report;
    const ModelOptions& options;
    float& done;
    bool aborted = false;
  } progress{on_progress, options, done};

  ModelParams model_params(outline ? outline->options() : options, facts.overrides);
  llama_model_params& params = model_params.params();
  params.progress_callback_user_data = &progress;
  params.progress_callback = [](float fraction, void* data) {
    auto* self = static_cast<Progress*>(data);
    self->done = fraction;
    if (!self->report(fraction)) self->aborted = true;
    // Weights for a lost worker would be read from the file, and dropped.
    return !self->aborted && !any_lost(self->options);
  };

  llama_model* model = blaming_the_file(
      options.path, [&] { return llama_model_load_from_file(options.path.c_str(), params); });
  if (progress.aborted) {
    if (model != nullptr) llama_model_free(model);
    throw Error(code::kDisposed, "The model was disposed while it was loading.");
  }
  try {
    for (const std::shared_ptr<RemoteWorker>& worker : options.workers)
      worker->settle();  // it has the weights then
  } catch (...) {
    if (model != nullptr) llama_model_free(model);
    throw;
  }
  if (model == nullptr) {
    refuse_model(options.path, errors, "llama.cpp does not know this kind of model");
  }
  const ModelOptions decided = outline ? outline->options() : options;
  const std::shared_ptr<Model> loaded(
      new Model(model, decided, std::move(facts), std::move(outline)));
  loaded->vocabulary().belong_to(loaded);
  return loaded;
}

Model::Model(llama_model* model, const ModelOptions& options, Facts facts,
             std::unique_ptr<const ModelOutline> outline)
    : model_(model),
      options_(options),
      facts_(std::move(facts)),
      outline_(std::move(outline)),
      vocabulary_(llama_model_get_vocab(model)),
      may_use_gpu_(!devices_for(options).empty()),
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

const TensorShape* Model::tensor_shape(const std::string& name) const {
  const auto found = facts_.shapes.find(name);
  return found == facts_.shapes.end() ? nullptr : &found->second;
}

int64_t Model::hyperparameter(const std::string& name) const {
  const std::string value = metadata(metadata("general.architecture") + "." + name);
  return std::strtoll(value.c_str(), nullptr, 10);
}

}  // namespace cria
