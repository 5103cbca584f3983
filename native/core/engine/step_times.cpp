#include "core/engine/step_times.h"

#include <algorithm>

#include "core/engine/borders.h"

namespace cria {

namespace {

// While generations wait for their next token, a piece of a prompt should take no longer than they
// allow, or than so many of their steps, but it is not smaller than Limits::least_piece.
constexpr double kPieceSteps = 2;
// Unless that would take so many times as long as they allow: then it has as few as
// Limits::fewest_rows. Fewer rows are dearer each, so this is for prompts that look back at
// thousands of tokens.
constexpr double kTooLong = 3.5;
// The weight of the newest measurement in a running mean. Tokens of a prompt become dearer as it
// goes on: what generations wait for should not lag behind.
constexpr double kNewest = 0.3;
constexpr double kNewestDearer = 0.7;

void update(double& mean, double now, double weight = kNewest) {
  mean = mean > 0 ? mean + weight * (now - mean) : now;
}

}  // namespace

void StepTimes::measured(const Step& step, double ms) {
  if (step.prompt_rows == 0) {
    update(step_ms_, ms);  // with its draft, if there is one
  } else if (step.prompt_rows >= limits_.fewest_rows && !step.drafts) {
    // The next tokens of generations in the same batch would have taken their time anyway.
    const bool mixed = step.prompt_rows < step.rows;
    const double piece_ms = std::max(ms - (mixed ? step_ms_ : 0), 0.0);
    if (step.prompt_rows >= limits_.least_piece)
      update(prefill_ms_per_token_, piece_ms / step.prompt_rows);
    // By itself a piece reads the weights again, which takes no longer than a step does.
    base_ms_ = limits_.apart ? std::min(step_ms_, piece_ms / 2) : 0;
    const double row_ms = (piece_ms - base_ms_) / step.prompt_rows;
    update(row_ms_, row_ms, row_ms > row_ms_ ? kNewestDearer : kNewest);
  }
}

StepTimes::Piece StepTimes::piece_within(double pause, int32_t most) const {
  const double ms = std::max(pause, kPieceSteps * step_ms_);
  const double affordable = row_ms_ > 0 ? (ms - base_ms_) / row_ms_ : kLeastRows;
  const double too_long = std::max(kTooLong * pause, kPieceSteps * step_ms_);
  int32_t least = limits_.least_piece;
  while (least > limits_.fewest_rows && base_ms_ + least * row_ms_ > too_long)
    least /= 2;
  return {static_cast<int32_t>(std::min<double>(affordable, most)), least};
}

}  // namespace cria
