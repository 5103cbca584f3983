#include "core/engine/task.h"

namespace cria {

Borders Task::borders(int32_t micro_batch) const {
  const bool exact = reuse() == Reuse::kExact || start_ == 0;
  const bool cut = exact || checkpoints_;
  return {length(), cut ? cuts_ : kNoCuts, micro_batch, exact ? 0 : start_};
}

bool Task::as_alone(int32_t count, int32_t micro_batch) const {
  const Borders borders{prompt_length_, cuts_, micro_batch};
  const Borders::Span span = borders.around(evaluated_);
  const int32_t end = evaluated_ + count;
  if (end > span.end || (evaluated_ - span.begin) % kTile != 0) return false;
  return end == span.end || count % kTile == 0;
}

int32_t Task::last_checkpoint(int32_t most, int32_t micro_batch) const {
  for (int32_t position = std::min(most, prompt_length_ - 1); position > 0;) {
    if (leaves_checkpoint(position, micro_batch)) return position;
    const int32_t begin = borders(micro_batch).around(position).begin;
    position = begin < position ? begin : position - 1;
  }
  return 0;
}

bool Task::leaves_checkpoint(int32_t position, int32_t micro_batch) const {
  if (!checkpoints_ || position == 0) return false;
  const auto place = std::lower_bound(cuts_.begin(), cuts_.end(), position);
  const bool cut = place != cuts_.end() && *place == position;
  if (cut) return cuts_.end() - place < Checkpoints::kMostOfSlot;
  return borders(micro_batch).around(prompt_length_ - 1).begin == position;
}

}  // namespace cria
