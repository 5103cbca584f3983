// The inner loops over a row of logits: apart from their callers, since each CPU level has them
// compiled for its own instructions. No templates of the standard library in there that a linker
// could share with code of a lower level.
#pragma once

#include <cstdint>

namespace cria {

// Compilers turn independent lanes into vector instructions; a single running maximum or sum they
// may not reorder.
inline constexpr int32_t kLogitLanes = 32;

// So many terms are added up as floats, lane by lane, then as doubles: floats alone would lose
// three digits over 128K terms. Small enough for the buffers to stay in the first-level cache.
inline constexpr int32_t kLogitBlock = 512;

struct LogitKernels {
  // Over `rows` rows of kLogitLanes logits: of each lane the maximum, into `maxima`, and the sum,
  // added to `sums`.
  void (*read_rows)(const float* logits, int32_t rows, float* maxima, float* sums);

  // The sum of exp(logit - max) over kLogitBlock logits, none above `max`.
  double (*sum_exp)(const float* logits, float max);
};

// Those of the level that this is compiled for.
extern const LogitKernels logit_kernels;

}  // namespace cria
