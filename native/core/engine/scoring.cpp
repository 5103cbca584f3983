#include "core/engine/scoring.h"

#include <cmath>
#include <utility>

#include "core/model/error.h"
#include "core/sampling/logprobs.h"

namespace cria {

Scoring::Scoring(const Vocabulary& vocabulary, const std::shared_ptr<const Command>& command,
                 PreparedPrompt prompt, const BorderRule& rule)
    : Task(command, std::move(prompt), vocabulary, rule,
           std::get<command::Score>(command->what).adapters),
      vocabulary_size_(vocabulary.size()),
      command_(command) {
  for (const llama_token candidate : score().candidates)
    vocabulary.check(candidate);
}

bool Scoring::step(const float* logits, int32_t, Outbox& outbox) {
  const double all = log_sum_exp(logits, vocabulary_size_);
  if (!std::isfinite(all)) throw Error(code::kDecodeFailed, "The model's logits are not finite.");
  Answer answer;
  answer.values.emplace();
  for (const llama_token candidate : score().candidates)
    answer.values->push_back(static_cast<float>(logits[candidate] - all));
  answer.count = prompt_length();
  answer.cached = start();
  outbox.answer(id(), std::move(answer));
  return true;
}

}  // namespace cria
