#include "core/engine/task.h"

#include <iterator>
#include <limits>

#include "core/media/media_token.h"

namespace cria {

Task::Task(std::shared_ptr<const Order> order, Tokens tokens, const AdapterSetPtr& adapters)
    : order_(std::move(order)),
      tokens_(std::move(tokens)),
      prompt_length_(static_cast<int32_t>(tokens_.size())),
      adaptation_{adapters, adapters, 0},
      adaptation_key_(adaptation_.key()) {}

Task::Task(std::shared_ptr<const Order> order, PreparedPrompt prompt, const Vocabulary& vocabulary,
           bool checkpoints, const AdapterSetPtr& adapters)
    : order_(std::move(order)),
      tokens_(std::move(prompt.tokens)),
      prompt_length_(static_cast<int32_t>(tokens_.size())),
      adaptation_(adaptation_of(tokens_, adapters)),
      adaptation_key_(adaptation_.key()),
      media_(std::move(prompt.media)),
      beside_(prompt_length_ - position_at(tokens_, prompt_length_)),
      checkpoints_(checkpoints) {
  for (const MediaSpan& span : media_) {
    for (const int32_t border : {span.begin, span.end()}) {
      const bool inside = border > 0 && border < prompt_length_;
      const bool known = !media_cuts_.empty() && media_cuts_.back() == border;
      if (inside && !known) media_cuts_.push_back(border);
    }
  }
  const Cuts messages = checkpoints_ ? message_ends(tokens_, vocabulary) : Cuts{};
  std::set_union(messages.begin(), messages.end(), media_cuts_.begin(), media_cuts_.end(),
                 std::back_inserter(cuts_));
  if (adaptation_.from == 0) return;
  const auto place = std::lower_bound(cuts_.begin(), cuts_.end(), adaptation_.from);
  if (place == cuts_.end() || *place != adaptation_.from) cuts_.insert(place, adaptation_.from);
}

const MediaSpan* Task::next_media() const {
  for (const MediaSpan& span : media_)
    if (evaluated_ < span.end()) return evaluated_ >= span.begin ? &span : nullptr;
  return nullptr;
}

// Of media, no row before the last one of a prompt is asked about.
int32_t Task::outputs_within(int32_t count) const {
  const int32_t rows = std::min(evaluated_ + count - first_output(), count);
  return std::clamp(rows, 0, next_media() == nullptr ? count : 1);
}

llama_pos Task::position(int32_t index) const {
  if (beside_ == 0) return index;
  return index >= prompt_length_ ? index - beside_ : position_at(tokens_, index);
}

int32_t Task::evaluated_alike() const {
  const int32_t left = adaptation_.from - evaluated_;
  return left > 0 ? left : std::numeric_limits<int32_t>::max();
}

Borders Task::borders(int32_t micro_batch) const {
  const bool exact = reuse() == Reuse::kExact || start_ == 0;
  const bool cut = exact || checkpoints_;
  return {length(), cut ? cuts_ : media_cuts_, micro_batch, exact ? 0 : start_};
}

bool Task::as_alone(int32_t count, int32_t micro_batch, int32_t tile) const {
  const Borders borders{prompt_length_, cuts_, micro_batch};
  const Borders::Span span = borders.around(evaluated_);
  const int32_t end = evaluated_ + count;
  if (end > span.end || (evaluated_ - span.begin) % tile != 0) return false;
  if (count < kFewestTogether && evaluated_ != span.begin) return false;
  return end == span.end || count % tile == 0;
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
