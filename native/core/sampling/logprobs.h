// Log-probabilities of the model's own distribution: the logits before any sampler.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

struct TokenLogprob {
  llama_token token;
  float logprob;
};

// log(sum(exp(logits))) over all, to about 1e-7 of a double-precision one. No number where a logit
// is none or infinite; minus infinity where all are.
double log_sum_exp(const float* logits, int32_t count);

// Appends to `result` 1 + n entries: the chosen token first, then the n likeliest, falling, of
// equals the lower id first. Those that there are none for, since `count` is less or the logits are
// not finite, are no numbers.
void top_logprobs(const float* logits, int32_t count, llama_token chosen, int32_t n,
                  std::vector<TokenLogprob>& result);

}  // namespace cria
