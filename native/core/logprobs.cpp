#include "logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cria {

double log_sum_exp(const float* logits, int32_t count) {
  const double most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int32_t i = 0; i < count; ++i)
    sum += std::exp(logits[i] - most);
  return most + std::log(sum);
}

void top_logprobs(const float* logits, int32_t count, llama_token chosen, int32_t n,
                  std::vector<TokenLogprob>& result) {
  const double all = log_sum_exp(logits, count);
  std::vector<llama_token> ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  const auto end = ids.begin() + std::min(n, count);
  std::partial_sort(ids.begin(), end, ids.end(),
                    [&](llama_token a, llama_token b) { return logits[a] > logits[b]; });
  const auto entry = [&](llama_token t) {
    return TokenLogprob{t, static_cast<float>(logits[t] - all)};
  };
  result.push_back(entry(chosen));
  for (auto i = ids.begin(); i != end; ++i)
    result.push_back(entry(*i));
}

}  // namespace cria
