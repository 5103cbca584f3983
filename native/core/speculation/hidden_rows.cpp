#include "core/speculation/hidden_rows.h"

// llama.cpp v0.5.0 has these functions nowhere else: its own common/speculative.cpp includes this
// header for them, and common/ would bring samplers and a log to stderr with it.
#include <llama-ext.h>

#include <utility>

#include "core/model/error.h"

namespace cria {

HiddenRows::HiddenRows(llama_context* context, std::vector<int32_t> layers)
    : context_(context),
      layers_(std::move(layers)),
      embedding_(layers_.empty() ? llama_model_n_embd_out(llama_get_model(context))
                                 : llama_model_n_embd(llama_get_model(context))) {
  // Of all rows, whether their logits are wanted or not.
  if (layers_.empty()) llama_set_embeddings_nextn(context_, true, /*masked=*/false);
  for (const int32_t layer : layers_) {
    if (is_last(layer)) {
      llama_set_embeddings_nextn(context_, true, /*masked=*/false);
    } else {
      llama_set_embeddings_layer_inp(context_, static_cast<uint32_t>(layer), true);
    }
  }
}

bool HiddenRows::is_last(int32_t layer) const {
  return layer == llama_model_n_layer(llama_get_model(context_));
}

int32_t HiddenRows::width() const {
  return embedding_ * (layers_.empty() ? 1 : static_cast<int32_t>(layers_.size()));
}

const float* HiddenRows::of_layer(int32_t layer) const {
  const float* rows = is_last(layer)
                          ? llama_get_embeddings_nextn(context_)
                          : llama_get_embeddings_layer_inp(context_, static_cast<uint32_t>(layer));
  if (rows == nullptr) throw Error(code::kInternal, "llama.cpp kept no inputs of layers.");
  return rows;
}

void HiddenRows::read(int32_t first, int32_t count, std::vector<float>& rows) const {
  std::vector<const float*> parts;
  for (const int32_t layer : layers_)
    parts.push_back(of_layer(layer));
  if (parts.empty()) parts.push_back(llama_get_embeddings_nextn(context_));
  if (parts.front() == nullptr) throw Error(code::kInternal, "llama.cpp kept no hidden rows.");
  for (int32_t row = first; row < first + count; ++row) {
    for (const float* part : parts) {
      const float* begin = part + static_cast<size_t>(row) * static_cast<size_t>(embedding_);
      rows.insert(rows.end(), begin, begin + embedding_);
    }
  }
}

void keep_hidden_rows(llama_context* head) {
  llama_set_embeddings_nextn(head, true, /*masked=*/true);
}

const float* hidden_rows_of(llama_context* head) {
  const float* rows = llama_get_embeddings_nextn(head);
  if (rows == nullptr) throw Error(code::kInternal, "llama.cpp kept no hidden rows of a head.");
  return rows;
}

std::vector<int32_t> layers_read_by(const llama_model* head) {
  const int32_t* layers = llama_model_target_layer_ids(head);
  const uint32_t count = llama_model_target_layer_ids_n(head);
  return count == 0 ? std::vector<int32_t>() : std::vector<int32_t>(layers, layers + count);
}

}  // namespace cria
