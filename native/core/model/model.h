// A loaded model. Any number of contexts on any threads may share it; its weights are freed with
// the last shared_ptr to it.
#pragma once

#include <llama.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/model/evaluation_gate.h"
#include "core/model/model_options.h"
#include "core/model/model_outline.h"
#include "core/model/vocabulary.h"

namespace cria {

using TensorShape = std::array<int64_t, 4>;

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
  bool vocab_only() const { return options_.vocab_only; }
  // Whether the layers that predict further tokens are loaded, if the file has some.
  bool loads_mtp() const { return options_.mtp; }

  // Those that some of its layers may lie on.
  const std::vector<std::shared_ptr<RemoteWorker>>& workers() const { return options_.workers; }

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

  // Of a tensor of its files; null if there is none of this name.
  const TensorShape* tensor_shape(const std::string& name) const;

  // Rows of the table of learnt positions, which limit a context; 0 if there is none.
  int32_t position_count() const { return facts_.position_count; }

  // On which is measured what it and its contexts take. Without weights it is made by the first
  // call, which reads the files again and checks what a load with weights does; it throws as load()
  // does.
  const ModelOutline& outline(const std::function<bool()>& goes_on) const;

  // Held while a context on this model is created, which writes to the model.
  std::mutex& creating() { return creating_; }

  // Passed whenever a context of the model's evaluates or is created.
  EvaluationGate& gate() const { return gate_; }

 private:
  // What was read from the files before llama.cpp loaded them.
  struct Facts {
    std::vector<llama_model_kv_override> overrides;  // in llama.cpp's form
    std::vector<std::string> keys;
    std::string fingerprint;
    std::string architecture;
    uint64_t vocabulary_size;  // 0 if the file lists no tokens
    int32_t position_count;
    std::unordered_map<std::string, TensorShape> shapes;
  };
  static Facts check(const ModelOptions& options, const std::function<bool()>& goes_on);
  static std::unique_ptr<const ModelOutline> make_outline(const ModelOptions& options,
                                                          const Facts& facts,
                                                          const std::function<bool()>& goes_on);

  Model(llama_model* model, const ModelOptions& options, Facts facts,
        std::unique_ptr<const ModelOutline> outline);

  llama_model* model_;
  const ModelOptions options_;
  const Facts facts_;
  mutable std::mutex outlining_;
  mutable std::unique_ptr<const ModelOutline> outline_;
  std::unordered_map<std::string, std::string> overridden_;
  const Vocabulary vocabulary_;
  const bool may_use_gpu_;
  std::string identity_;
  std::mutex creating_;
  mutable EvaluationGate gate_;
};

}  // namespace cria
