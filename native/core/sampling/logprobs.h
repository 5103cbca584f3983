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

// log(sum(exp(logits))), to about 1e-7 of one in double precision. NaN if a logit is NaN or
// infinite; minus infinity if all are.
double log_sum_exp(const float* logits, int32_t count);

// Appends 1 + n entries to `result`: the chosen token, then the n likeliest, falling, among equals
// the lower id first. Missing ones, because `count` is less or the logits are not finite, are NaN.
void top_logprobs(const float* logits, int32_t count, llama_token chosen, int32_t n,
                  std::vector<TokenLogprob>& result);

}  // namespace cria
