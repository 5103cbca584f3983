#include "core/engine/batch.h"

#include <algorithm>

namespace cria {

Batch::Batch(int32_t capacity) { rows_.reserve(capacity); }

void Batch::clear() {
  rows_.clear();
  media_.reset();
  shares_.clear();
  padding_ = 0;
  has_drafts_ = false;
}

void Batch::add(Task& task, int32_t count, int32_t padding) {
  if (const MediaSpan* span = task.next_media()) return add_media(task, *span, count);
  const int32_t end = task.evaluated() + count;
  const int32_t outputs = task.outputs_within(count);
  for (int32_t position = task.evaluated(); position < end; ++position) {
    rows_.add(task.tokens()[static_cast<size_t>(position)], task.position(position), task.slot(),
              position >= end - outputs);
  }
  shares_.push_back({&task, count, padding, size() - outputs, outputs, 0});
  for (int32_t i = 0; i < padding; ++i)
    rows_.add(task.tokens()[static_cast<size_t>(end - 1)], task.position(end) + i, task.slot(),
              false);
  padding_ += padding;
}

void Batch::add_media(Task& task, const MediaSpan& span, int32_t count) {
  media_ = span.chunk;
  const int32_t outputs = task.outputs_within(count);
  media_rows_.set(*media_, task.evaluated() - span.begin, count, task.position(span.begin),
                  task.slot(), outputs > 0);
  shares_.push_back({&task, count, 0, count - 1, outputs, 0});
}

void Batch::add_draft(const Tokens& draft) {
  Share& share = shares_.back();
  const Task& task = *share.task;
  llama_pos position = task.position(task.length());
  for (const llama_token token : draft)
    rows_.add(token, position++, task.slot(), true);
  share.drafted = static_cast<int32_t>(draft.size());
  has_drafts_ = has_drafts_ || !draft.empty();
}

int32_t Batch::outputs() const {
  int32_t sum = 0;
  for (const Share& share : shares_)
    sum += share.outputs + share.drafted;
  return sum;
}

void Batch::forget_padding(llama_memory_t memory) const {
  for (const Share& share : shares_) {
    if (share.padding == 0) continue;
    const Task& task = *share.task;
    llama_memory_seq_rm(memory, task.slot(), task.position(task.evaluated() + share.count), -1);
  }
}

}  // namespace cria
