// A loaded model. Any number of contexts on any threads may share it; its weights are freed with
// the last shared_ptr to it.
#pragma once

#include <llama.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/model/metadata_overrides.h"
#include "core/model/vocabulary.h"

namespace cria {

struct ModelOptions {
  // Values of gpu_layers besides a number of layers.
  static constexpr int32_t kFittingLayers = -1;
  static constexpr int32_t kAllLayers = -2;

  std::string path;
  int32_t gpu_layers = kFittingLayers;
  std::vector<std::string> devices;  // empty: all
  llama_split_mode split_mode = LLAMA_SPLIT_MODE_LAYER;
  std::vector<float> tensor_split;  // empty: by free memory
  int32_t main_gpu = 0;
  bool mmap = true;
  bool mlock = false;
  bool check_tensors = false;
  bool vocab_only = false;
  std::vector<MetadataOverride> metadata_overrides;
};

class Model {
 public:
  // Blocks, so it needs a thread of its own. `on_progress` is called on that thread with 0…1; once
  // it returns false the load ends with ERR_DISPOSED. Everything in the files is checked before
  // llama.cpp sees it (model_check.h).
  static std::shared_ptr<Model> load(const ModelOptions& options,
                                     const std::function<bool(float)>& on_progress);

  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  llama_model* handle() const { return model_; }
  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool vocab_only() const { return vocab_only_; }

  // Whether a GPU may compute for it, large batches even where all its layers are the CPU's.
  bool may_use_gpu() const { return may_use_gpu_; }

  // Whether it is a decoder without an encoder, which generate() can drive.
  bool generates() const;

  // A value of the metadata as text, empty if there is none; and all of them in the file's order.
  // With overrides, without lists.
  std::string metadata(const std::string& key) const;
  std::vector<std::pair<std::string, std::string>> metadata() const;

  // Of the weights, by samples of every file: see ModelFiles::fingerprint().
  const std::string& fingerprint() const { return facts_.fingerprint; }

  // Differs from that of other models, and of the same one with other overrides.
  const std::string& identity() const { return identity_; }

  // A whole number that the file has for its architecture, as "context_length"; 0 if it has none.
  // Works without weights, too, where llama.cpp's getters do not.
  int64_t hyperparameter(const std::string& name) const;

  // Rows of the table of learnt positions, which limit a context; 0 if there is none.
  int32_t position_count() const { return facts_.position_count; }

  // Elements of the key cache, and of the value cache, for one token over all layers. An upper
  // bound if layers differ.
  uint64_t cache_width() const;

  // Held while a context on this model is created, which writes to the model.
  std::mutex& creating() { return creating_; }

 private:
  // What was read from the files before llama.cpp loaded them.
  struct Facts {
    std::vector<std::string> keys;
    std::string fingerprint;
    int32_t position_count;
  };
  static Facts check(const ModelOptions& options, const std::function<bool()>& goes_on,
                     std::vector<llama_model_kv_override>& overrides);

  Model(llama_model* model, const ModelOptions& options, Facts facts);

  llama_model* model_;
  const Facts facts_;
  std::unordered_map<std::string, std::string> overridden_;
  const Vocabulary vocabulary_;
  const bool vocab_only_;
  const bool may_use_gpu_;
  std::string identity_;
  std::mutex creating_;
};

}  // namespace cria
