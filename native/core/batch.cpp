#include "batch.h"

namespace cria {

Batch::Batch(int32_t capacity) {
  const auto most = static_cast<size_t>(capacity);
  tokens_.reserve(most);
  positions_.reserve(most);
  outputs_.reserve(most);
  slot_counts_.assign(most, 1);
  slots_.resize(most);
  for (llama_seq_id& slot : slots_)
    slot_pointers_.push_back(&slot);
}

void Batch::clear() {
  tokens_.clear();
  positions_.clear();
  outputs_.clear();
  shares_.clear();
  padding_ = 0;
}

void Batch::add(Task& task, int32_t count) {
  const bool whole = count == task.pending();
  for (int32_t i = 0; i < count; ++i) {
    const int32_t position = task.evaluated() + i;
    slots_[tokens_.size()] = task.slot();
    tokens_.push_back(task.tokens()[static_cast<size_t>(position)]);
    positions_.push_back(position);
    outputs_.push_back(whole && i == count - 1 ? 1 : 0);
  }
  shares_.push_back({&task, count, whole ? size() - 1 : -1});
}

void Batch::pad(int32_t count, llama_seq_id slot) {
  for (int32_t i = 0; i < count; ++i) {
    slots_[tokens_.size()] = slot;
    tokens_.push_back(tokens_.front());
    positions_.push_back(i);
    outputs_.push_back(0);
  }
  padding_ = count;
}

llama_batch Batch::view() {
  return llama_batch{size(),
                     tokens_.data(),
                     nullptr,  // no embeddings
                     positions_.data(),
                     slot_counts_.data(),
                     slot_pointers_.data(),
                     outputs_.data()};
}

}  // namespace cria
