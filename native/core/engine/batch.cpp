#include "core/engine/batch.h"

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

void Batch::add(Task& task, int32_t count, int32_t padding) {
  const bool whole = count == task.pending();
  for (int32_t i = 0; i < count; ++i) {
    const int32_t position = task.evaluated() + i;
    add_row(task.slot(), task.tokens()[static_cast<size_t>(position)], position);
    outputs_.back() = whole && i == count - 1 ? 1 : 0;
  }
  shares_.push_back({&task, count, padding, whole ? size() - 1 : -1});
  for (int32_t i = 0; i < padding; ++i)
    add_row(task.slot(), tokens_.back(), task.evaluated() + count + i);
  padding_ += padding;
}

void Batch::add_row(llama_seq_id slot, llama_token token, llama_pos position) {
  slots_[tokens_.size()] = slot;
  tokens_.push_back(token);
  positions_.push_back(position);
  outputs_.push_back(0);
}

void Batch::forget_padding(llama_memory_t memory) const {
  for (const Share& share : shares_) {
    if (share.padding == 0) continue;
    llama_memory_seq_rm(memory, share.task->slot(), share.task->evaluated() + share.count, -1);
  }
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
