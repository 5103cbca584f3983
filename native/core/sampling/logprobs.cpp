#include "core/sampling/logprobs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/sampling/logit_scan.h"

namespace cria {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// So many terms are added up as floats, lane by lane, then as doubles: floats alone would lose
// three digits over 128K terms. Small enough for the buffers to stay in the first-level cache.
constexpr int32_t kBlock = 512;
constexpr int32_t kLanes = 32;  // as in logit_scan.cpp

struct Buffers {
  std::array<float, kBlock> rest;
  std::array<int32_t, kBlock> power;
  std::array<float, kBlock> scale;
};

// The sum of exp(logit - max), each term with an error of at most 2e-7 of it, or nearly 0 below
// -87. exp(x) is 2^k * exp(r) with a whole k and |r| at most ln(2) / 2, where a polynomial of
// degree 6 suffices.
double sum_exp_of_block(const float* logits, float max, Buffers& buffers) {
  float* rest = buffers.rest.data();
  int32_t* power = buffers.power.data();
  // A separate loop: in one with the next, compilers branch here and do not vectorize.
  for (int32_t i = 0; i < kBlock; ++i)
    rest[i] = std::max(logits[i] - max, -87.0F);
  for (int32_t i = 0; i < kBlock; ++i) {
    const float x = rest[i];
    const auto k =
        static_cast<int32_t>(x * 1.44269504F - 0.5F);  // cut off: rounds what is negative
    const auto whole = static_cast<float>(k);
    rest[i] = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;  // ln(2) in two parts
    power[i] = (k + 127) * (1 << 23);                               // the bits of 2^k
  }
  std::memcpy(buffers.scale.data(), power, sizeof buffers.scale);
  float* scale = buffers.scale.data();
  for (int32_t i = 0; i < kBlock; ++i) {
    const float r = rest[i];
    float p = 1.0F / 720.0F;
    p = p * r + 1.0F / 120.0F;
    p = p * r + 1.0F / 24.0F;
    p = p * r + 1.0F / 6.0F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    scale[i] *= p;
  }
  std::array<float, kLanes> sums{};
  for (int32_t i = 0; i < kBlock; i += kLanes) {
    for (int32_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += scale[i + lane];
  }
  double total = 0.0;
  for (const float sum : sums)
    total += sum;
  return total;
}

double log_sum_exp_below(const float* logits, int32_t count, float max) {
  Buffers buffers;
  double total = 0.0;
  int32_t i = 0;
  for (; i + kBlock <= count; i += kBlock)
    total += sum_exp_of_block(logits + i, max, buffers);
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
