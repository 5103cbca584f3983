#include "core/engine/batch.h"

namespace cria {

Batch::Batch(int32_t capacity) { rows_.reserve(capacity); }

void Batch::clear() {
  rows_.clear();
  shares_.clear();
  padding_ = 0;
  has_drafts_ = false;
}

void Batch::add(Task& task, int32_t count, int32_t padding) {
  const bool whole = count == task.pending();
  for (int32_t i = 0; i < count; ++i) {
    const int32_t position = task.evaluated() + i;
    rows_.add(task.tokens()[static_cast<size_t>(position)], position, task.slot(),
              whole && i == count - 1);
  }
  shares_.push_back({&task, count, padding, whole ? size() - 1 : -1, 0});
  const int32_t end = task.evaluated() + count;
  for (int32_t i = 0; i < padding; ++i)
    rows_.add(task.tokens()[static_cast<size_t>(end - 1)], end + i, task.slot(), false);
  padding_ += padding;
}

void Batch::add_draft(const Tokens& draft) {
  Share& share = shares_.back();
  const Task& task = *share.task;
  int32_t position = task.length();
  for (const llama_token token : draft)
    rows_.add(token, position++, task.slot(), true);
  share.drafted = static_cast<int32_t>(draft.size());
  has_drafts_ = has_drafts_ || !draft.empty();
}

void Batch::forget_padding(llama_memory_t memory) const {
  for (const Share& share : shares_) {
    if (share.padding == 0) continue;
    llama_memory_seq_rm(memory, share.task->slot(), share.task->evaluated() + share.count, -1);
  }
}

}  // namespace cria
