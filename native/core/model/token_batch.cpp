#include "core/model/token_batch.h"

namespace cria {

void TokenBatch::reserve(int32_t rows) {
  const auto most = static_cast<size_t>(rows);
  tokens_.reserve(most);
  positions_.reserve(most);
  outputs_.reserve(most);
  slot_counts_.assign(most, 1);
  slots_.resize(most);
  for (llama_seq_id& slot : slots_)
    slot_pointers_.push_back(&slot);
}

void TokenBatch::clear() {
  tokens_.clear();
  positions_.clear();
  outputs_.clear();
}

void TokenBatch::add(llama_token token, llama_pos position, llama_seq_id slot, bool output) {
  slots_[tokens_.size()] = slot;
  tokens_.push_back(token);
  positions_.push_back(position);
  outputs_.push_back(output ? 1 : 0);
}

llama_batch TokenBatch::view() {
  return llama_batch{size(),
                     tokens_.data(),
                     nullptr,  // no embeddings
                     positions_.data(),
                     slot_counts_.data(),
                     slot_pointers_.data(),
                     outputs_.data()};
}

}  // namespace cria
