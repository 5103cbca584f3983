#include "core/engine/batch.h"

#include <algorithm>

namespace cria {

Batch::Batch(int32_t capacity) { rows_.reserve(capacity); }

void Batch::clear() {
  rows_.clear();
  media_.reset();
  shares_.clear();
  has_drafts_ = false;
}

void Batch::add(Task& task, int32_t count) {
  if (const MediaSpan* span = task.next_media()) return add_media(task, *span, count);
  const int32_t end = task.evaluated() + count;
  const int32_t outputs = task.outputs_within(count);
  for (int32_t position = task.evaluated(); position < end; ++position) {
    rows_.add(task.tokens()[static_cast<size_t>(position)], task.position(position), task.slot(),
              position >= end - outputs);
  }
  shares_.push_back({&task, count, size() - outputs, outputs, 0});
}

void Batch::add_media(Task& task, const MediaSpan& span, int32_t count) {
  media_ = span.chunk;
  const int32_t outputs = task.outputs_within(count);
  media_rows_.set(*media_, task.evaluated() - span.begin, count, task.position(span.begin),
                  task.slot(), outputs > 0);
  shares_.push_back({&task, count, count - 1, outputs, 0});
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

}  // namespace cria
