#include "core/engine/scoring.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "core/model/error.h"
#include "core/sampling/logprobs.h"

namespace cria {

namespace {

void check_counts(const command::Score& score, int32_t prompt_length) {
  const std::vector<int32_t>& counts = score.counts;
  size_t sum = 0;
  bool negative = false;
  for (const int32_t count : counts) {
    negative = negative || count < 0;
    sum += static_cast<size_t>(count);
  }
  const int32_t most = std::min(prompt_length, command::kMostRowsOfScore);
  if (negative || counts.empty() || sum != score.candidates.size() ||
      counts.size() > static_cast<size_t>(most)) {
    throw Error(code::kInvalidArgument,
                "The counts of candidates have to make up all of them, for 1 to " +
                    std::to_string(most) + " tokens of the prompt.");
  }
}

}  // namespace

Scoring::Scoring(const Vocabulary& vocabulary, const std::shared_ptr<const Command>& command,
                 PreparedPrompt prompt, bool checkpoints)
    : Task(command, std::move(prompt), vocabulary, checkpoints,
           std::get<command::Score>(command->what).adapters),
      vocabulary_size_(vocabulary.size()),
      command_(command) {
  for (const llama_token candidate : score().candidates)
    vocabulary.check(candidate);
  check_counts(score(), prompt_length());
}

int32_t Scoring::first_output() const {
  return prompt_length() - static_cast<int32_t>(score().counts.size() - scored_);
}

bool Scoring::step(const float* logits, int32_t, Outbox& outbox) {
  const double all = log_sum_exp(logits, vocabulary_size_);
  if (!std::isfinite(all)) throw Error(code::kDecodeFailed, "The model's logits are not finite.");
  const auto candidates = score().candidates.begin() + static_cast<ptrdiff_t>(values_.size());
  const int32_t count = score().counts[scored_++];
  std::transform(candidates, candidates + count, std::back_inserter(values_),
                 [&](llama_token id) { return static_cast<float>(logits[id] - all); });
  if (scored_ < score().counts.size()) return false;
  Answer answer;
  answer.values = std::move(values_);
  answer.count = prompt_length();
  answer.cached = start();
  outbox.answer(id(), std::move(answer));
  return true;
}

}  // namespace cria
