#include "core/adapters/lora_adapter.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "core/adapters/lora_check.h"
#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/model_files.h"
#include "core/model/regular_file.h"

namespace cria {

namespace {

std::atomic<uint64_t> next_id{1};

[[noreturn]] void stopped() {
  throw Error(code::kDisposed, "The adapter was disposed while it was loading.");
}

// So that nobody waits for a disk while llama.cpp reads the file.
void read_through(const std::string& path, const std::function<bool()>& goes_on) {
  const RegularFile file(path);
  std::vector<char> piece(size_t{1} << 20);
  for (uint64_t at = 0; at < file.size(); at += piece.size()) {
    if (!goes_on()) stopped();
    const uint64_t left = file.size() - at;
    file.read(at, piece.data(), static_cast<size_t>(std::min<uint64_t>(left, piece.size())));
  }
}

uint64_t bytes_of(const std::vector<GgufTensor>& tensors) {
  uint64_t sum = 0;
  for (const GgufTensor& tensor : tensors)
    sum += tensor.size;
  return sum;
}

}  // namespace

std::shared_ptr<const LoraAdapter> LoraAdapter::load(const std::shared_ptr<Model>& model,
                                                     const std::string& path,
                                                     const std::function<bool()>& goes_on) {
  if (model->vocab_only()) {
    throw Error(code::kUnsupported,
                "This model was loaded with `vocabOnly`: it has no weights to change.");
  }
  const ModelFiles files(path, goes_on);
  check_lora(path, files, *model);
  const std::string fingerprint = files.fingerprint();
  read_through(path, goes_on);

  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;
  llama_adapter_lora* adapter = model->gate().load(
      [&] { return goes_on() ? llama_adapter_lora_init(model->handle(), path.c_str()) : nullptr; });
  if (adapter == nullptr) {
    if (!goes_on()) stopped();
    throw Error(errors.code(code::kModelInvalid),
                "\"" + path +
                    "\" could not be loaded: " + errors.reason("llama.cpp did not take it") + ".");
  }
  return std::shared_ptr<const LoraAdapter>(
      new LoraAdapter(model, adapter, fingerprint, bytes_of(files.tensors())));
}

LoraAdapter::LoraAdapter(const std::shared_ptr<Model>& model, llama_adapter_lora* adapter,
                         std::string fingerprint, uint64_t bytes)
    : model_(model),
      adapter_(adapter),
      id_(next_id.fetch_add(1)),
      fingerprint_(std::move(fingerprint)),
      bytes_(bytes) {
  const uint64_t count = llama_adapter_get_alora_n_invocation_tokens(adapter);
  if (count == 0) return;
  const llama_token* tokens = llama_adapter_get_alora_invocation_tokens(adapter);
  invocation_.assign(tokens, tokens + count);
}

LoraAdapter::~LoraAdapter() {
  if (const std::shared_ptr<Model> model = model_.lock()) model->gate().free(adapter_);
}

}  // namespace cria
