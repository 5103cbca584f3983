#include <ggml.h>

#include <algorithm>
#include <string_view>

#include "core/model/model_check.h"

namespace cria {

namespace {

// The last part of a name that may be a layer's, without ".weight".
bool is_called(const std::string& tensor, std::string_view name) {
  constexpr std::string_view kWeight = ".weight";
  std::string_view rest = tensor;
  if (rest.size() > kWeight.size() && rest.substr(rest.size() - kWeight.size()) == kWeight) {
    rest.remove_suffix(kWeight.size());
  }
  const size_t dot = rest.rfind('.');
  return rest.substr(dot == std::string_view::npos ? 0 : dot + 1) == name;
}

template <typename Id>
void check_table(const ModelFiles& files, const GgufTensor& tensor, int64_t count) {
  std::vector<Id> ids(static_cast<size_t>(tensor.elements()));
  files.read(tensor, ids.data(), ids.size() * sizeof(Id));
  const auto wrong =
      std::find_if(ids.begin(), ids.end(), [&](Id id) { return id < 0 || id >= count; });
  if (wrong == ids.end()) return;
  throw Error(code::kModelInvalid, "expected the tensor \"" + tensor.name +
                                       "\" to hold ids from 0 to " + std::to_string(count - 1) +
                                       ", found " + std::to_string(*wrong));
}

int64_t vocabulary_size(const Metadata& metadata) {
  const GgufValue* tokens = metadata.file().find("tokenizer.ggml.tokens");
  if (tokens != nullptr) return static_cast<int64_t>(tokens->count);
  return static_cast<int64_t>(metadata.number(metadata.key("vocab_size")).value_or(0));
}

}  // namespace

void check_ids(const Metadata& metadata, const ModelFiles& files) {
  for (const GgufTensor& tensor : files.tensors()) {
    if (tensor.type == GGML_TYPE_I64 && is_called(tensor.name, "d2t")) {
      check_table<int64_t>(files, tensor, vocabulary_size(metadata));
    } else if (tensor.type == GGML_TYPE_I32 && is_called(tensor.name, "ffn_gate_tid2eid")) {
      const double experts = metadata.number(metadata.key("expert_count")).value_or(0);
      check_table<int32_t>(files, tensor, static_cast<int64_t>(experts));
    }
  }
}

}  // namespace cria
