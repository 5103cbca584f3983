#include "core/model/logit_kernels.h"

#include <cstring>
#include <limits>

namespace cria {

namespace {

void read_rows(const float* logits, int32_t rows, float* maxima, float* sums) {
  float best[kLogitLanes];
  float sum[kLogitLanes];
  for (int32_t lane = 0; lane < kLogitLanes; ++lane)
    best[lane] = -std::numeric_limits<float>::infinity();
  std::memcpy(sum, sums, sizeof sum);
  for (int32_t row = 0; row < rows; ++row, logits += kLogitLanes) {
    for (int32_t lane = 0; lane < kLogitLanes; ++lane) {
      const float logit = logits[lane];
      best[lane] = logit > best[lane] ? logit : best[lane];
      sum[lane] += logit;
    }
  }
  std::memcpy(maxima, best, sizeof best);
  std::memcpy(sums, sum, sizeof sum);
}

// Each term has an error of at most 2e-7 of it, or is nearly 0 below -87. exp(x) is 2^k * exp(r)
// with a whole k and |r| at most ln(2) / 2, where a polynomial of degree 6 suffices.
double sum_exp(const float* logits, float max) {
  float rest[kLogitBlock];
  int32_t power[kLogitBlock];
  float scale[kLogitBlock];
  // A separate loop: in one with the next, compilers branch here and do not vectorize.
  for (int32_t i = 0; i < kLogitBlock; ++i) {
    const float x = logits[i] - max;
    rest[i] = x < -87.0F ? -87.0F : x;
  }
  for (int32_t i = 0; i < kLogitBlock; ++i) {
    const float x = rest[i];
    const auto k =
        static_cast<int32_t>(x * 1.44269504F - 0.5F);  // cut off: rounds what is negative
    const auto whole = static_cast<float>(k);
    rest[i] = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;  // ln(2) in two parts
    power[i] = (k + 127) * (1 << 23);                               // the bits of 2^k
  }
  std::memcpy(scale, power, sizeof scale);
  for (int32_t i = 0; i < kLogitBlock; ++i) {
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
  float sums[kLogitLanes] = {};
  for (int32_t i = 0; i < kLogitBlock; i += kLogitLanes) {
    for (int32_t lane = 0; lane < kLogitLanes; ++lane)
      sums[lane] += scale[i + lane];
  }
  double total = 0.0;
  for (const float sum : sums)
    total += sum;
  return total;
}

}  // namespace

const LogitKernels logit_kernels = {read_rows, sum_exp};

}  // namespace cria
