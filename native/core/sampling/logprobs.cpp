#include "core/sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/model/cpu_level.h"
#include "core/sampling/logit_scan.h"

namespace cria {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double log_sum_exp_below(const float* logits, int32_t count, float max) {
  const auto sum_exp = cpu_level().logits->sum_exp;
  double total = 0.0;
  int32_t i = 0;
  for (; i + kLogitBlock <= count; i += kLogitBlock)
    total += sum_exp(logits + i, max);
  for (; i < count; ++i)
    total += std::exp(static_cast<double>(logits[i]) - max);
  return max + std::log(total);
}

double log_sum_exp_of(const LogitScan& scan, const float* logits, int32_t count) {
  if (scan.usable()) return log_sum_exp_below(logits, count, scan.max());
  const bool none =
      std::all_of(logits, logits + count, [](float logit) { return logit == -kInfinity; });
  return none ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

double log_sum_exp(const float* logits, int32_t count) {
  LogitScan scan;
  scan.read(logits, count);
  return log_sum_exp_of(scan, logits, count);
}

void top_logprobs(const float* logits, int32_t count, llama_token chosen, int32_t n,
                  std::vector<TokenLogprob>& result) {
  LogitScan scan;
  scan.read(logits, count);
  const double total = log_sum_exp_of(scan, logits, count);
  const auto logprob = [&](float logit) { return static_cast<float>(logit - total); };
  result.push_back({chosen, logprob(logits[chosen])});
  const size_t end = result.size() + static_cast<size_t>(n);
  std::vector<llama_token_data> likeliest;
  if (scan.usable()) scan.largest(n, likeliest);
  for (const llama_token_data& candidate : likeliest)
    result.push_back({candidate.id, logprob(candidate.logit)});
  result.resize(end, {0, std::numeric_limits<float>::quiet_NaN()});
}

}  // namespace cria
