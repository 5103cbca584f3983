// Log-probabilities of the model's own distribution, before any sampler.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

struct TokenLogprob {
  llama_token token;
  float logprob;
};

// `result` gets 1 + n entries: the chosen token first, then the n likeliest, falling.
void top_logprobs(const float* logits, int32_t count, llama_token chosen, int32_t n,
                  std::vector<TokenLogprob>& result);

// log(sum(exp(logits))) over all.
double log_sum_exp(const float* logits, int32_t count);

}  // namespace cria
