#include "core/model/token_batch.h"

#include <string>

namespace cria {

Failure decode_failure(int32_t status) {
  if (status == kNoMemory) {
    return {code::kOutOfMemory,
            "There was not enough memory to evaluate the batch. Create the context with a smaller "
            "`contextSize`, `sequences` or `microBatchSize`, or load fewer layers on the GPU."};
  }
  return {code::kDecodeFailed, "llama.cpp could not evaluate the batch: llama_decode returned " +
                                   std::to_string(status) + "."};
}

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
