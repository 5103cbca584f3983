// A LoRA adapter: low-rank changes of a model's weights, in memory, which any number of requests of
// the model's contexts may use, each with its own scale.
#pragma once

#include <llama.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/model/model.h"
#include "core/model/vocabulary.h"

namespace cria {

class LoraAdapter {
 public:
  // Blocks, so it needs a thread of its own; nobody evaluates with the model while llama.cpp reads
  // the file, which was read once before then. Everything in it is checked before. Throws
  // ERR_MODEL_INVALID for a file that is no adapter, or another model's; ERR_UNSUPPORTED,
  // ERR_OUT_OF_MEMORY; ERR_DISPOSED once `goes_on` returns false.
  static std::shared_ptr<const LoraAdapter> load(const std::shared_ptr<Model>& model,
                                                 const std::string& path,
                                                 const std::function<bool()>& goes_on);

  // Any thread. Does not wait: see EvaluationGate::free(). No context may have it set.
  ~LoraAdapter();
  LoraAdapter(const LoraAdapter&) = delete;
  LoraAdapter& operator=(const LoraAdapter&) = delete;

  llama_adapter_lora* handle() const { return adapter_; }
  bool belongs_to(const Model& model) const { return model_.lock().get() == &model; }

  // Of this object alone, in the process.
  uint64_t id() const { return id_; }
  // Of its file, as Model::fingerprint().
  const std::string& fingerprint() const { return fingerprint_; }
  uint64_t bytes() const { return bytes_; }

  // Of an activated LoRA: the tokens from which on it changes the weights. Empty: always.
  const Tokens& invocation() const { return invocation_; }

 private:
  LoraAdapter(const std::shared_ptr<Model>& model, llama_adapter_lora* adapter,
              std::string fingerprint, uint64_t bytes);

  // Not shared: an adapter that somebody forgot to dispose does not keep the weights.
  const std::weak_ptr<Model> model_;
  llama_adapter_lora* const adapter_;
  const uint64_t id_;
  const std::string fingerprint_;
  const uint64_t bytes_;
  Tokens invocation_;
};

}  // namespace cria
