// Weights in Q5_K or Q6_K times several rows of activations, on processors with AVX2. ggml decodes
// the weights again for each row; here they are decoded once for all of them. Belongs to ggml-cpu
// and is called by it in the place of its own products of a panel (ggml_hooks.h, iqp.h); compiled
// for each level.
//
// A row gets what it would get alone, to the bit: the same products are added up in the same order
// as in ggml's dot product of one row of weights and one of activations, which integers do not mind
// and floats do.

#include <ggml-cpu-impl.h>
#include <iqp.h>

#define GGML_COMMON_DECL_CPP
#include <ggml-common.h>
#include <simd-mappings.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#if defined(__AVX2__) && defined(__FMA__)
#define CRIA_MULTIPLIES_K_QUANTS
#include "core/model/k_quant_blocks.h"
#endif

namespace {

#ifdef CRIA_MULTIPLIES_K_QUANTS

using cria::k_quants::load;
using cria::k_quants::store;
using cria::k_quants::unpack_scales;

constexpr int kPart = 32;              // weights in a register
constexpr int kParts = QK_K / kPart;   // of a super-block
constexpr int64_t kMostRows = 16;      // of weights, decoded at a time
constexpr size_t kPanel = 256 * 1024;  // for them: what stays in a core's second cache
constexpr int64_t kColumns = 4;        // rows of activations that share the reading of the weights

constexpr size_t kLine = 64;

// A super-block of weights, as it is multiplied.
struct alignas(kLine) Decoded {
  uint8_t weights[QK_K];       // not negative, in the order of the activations
  int16_t scales[kParts][16];  // of neighbouring pairs of weights
  int16_t offsets[16];         // times the sums of 16 activations: what was added to the weights
  float scale;
  float offset_scale;
};

float sum_of(__m256 x) {
  __m128 sum = _mm_add_ps(_mm256_extractf128_ps(x, 1), _mm256_castps256_ps128(x));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

// ── Q6_K: 16 scales, and weights of which 32 is subtracted ──────────────────

void decode(const block_q6_K& block, Decoded& to) {
  const __m256i low = _mm256_set1_epi8(0x0F);
  const __m256i high = _mm256_set1_epi8(0x30);
  for (int half = 0; half < 2; ++half) {
    const __m256i first = load(block.ql + half * 64);
    const __m256i second = load(block.ql + half * 64 + 32);
    const __m256i bits = load(block.qh + half * 32);
    uint8_t* const weights = to.weights + half * 128;
    const auto join = [&](int part, __m256i nibbles, __m256i upper) {
      store(weights + part * kPart,
            _mm256_or_si256(_mm256_and_si256(nibbles, low), _mm256_and_si256(upper, high)));
    };
    join(0, first, _mm256_slli_epi16(bits, 4));
    join(1, second, _mm256_slli_epi16(bits, 2));
    join(2, _mm256_srli_epi16(first, 4), bits);
    join(3, _mm256_srli_epi16(second, 4), _mm256_srli_epi16(bits, 2));
  }
  const __m128i scales = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block.scales));
  store(to.offsets, _mm256_cvtepi8_epi16(scales));
  // Each for eight pairs: the bytes that are shuffled are 0 and 1, then 2 and 3, and so on.
  __m128i places = _mm_set_epi64x(0x0101010101010101, 0);
  for (int part = 0; part < kParts; ++part) {
    store(to.scales[part], _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scales, places)));
    places = _mm_add_epi8(places, _mm_set1_epi8(2));
  }
  to.scale = GGML_CPU_FP16_TO_FP32(block.d);
}

struct SumOfQ6 {
  __m256 sum = _mm256_setzero_ps();

  void add(const Decoded& weights, const block_q8_K& row, __m256i products) {
    const __m256i offset = _mm256_madd_epi16(load(row.bsums), load(weights.offsets));
    products = _mm256_sub_epi32(products, _mm256_slli_epi32(offset, 5));
    const float scale = row.d * weights.scale;
    sum = _mm256_fmadd_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(products), sum);
  }
  float value() const { return sum_of(sum); }
};

// ── Q5_K: 8 scales and 8 least values ───────────────────────────────────────

void decode(const block_q5_K& block, Decoded& to) {
  const __m256i low = _mm256_set1_epi8(0x0F);
  const __m256i sixteen = _mm256_set1_epi8(0x10);
  __m256i bits = load(block.qh);
  for (int part = 0; part < kParts; ++part) {
    const __m256i both = load(block.qs + part / 2 * kPart);
    const __m256i nibbles = part % 2 == 0 ? both : _mm256_srli_epi16(both, 4);
    const __m256i fifth = _mm256_and_si256(_mm256_slli_epi16(bits, 4), sixteen);
    store(to.weights + part * kPart, _mm256_or_si256(_mm256_and_si256(nibbles, low), fifth));
    bits = _mm256_srli_epi16(bits, 1);
  }
  uint8_t scales[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(scales), unpack_scales(block.scales));
  for (int i = 0; i < kParts; ++i) {
    store(to.scales[i], _mm256_set1_epi16(scales[i]));
    to.offsets[2 * i] = to.offsets[2 * i + 1] = scales[8 + i];
  }
  to.scale = GGML_CPU_FP16_TO_FP32(block.data.data.d);
  to.offset_scale = GGML_CPU_FP16_TO_FP32(block.data.data.dmin);
}

struct SumOfQ5 {
  __m256 sum = _mm256_setzero_ps();
  float offsets = 0;

  void add(const Decoded& weights, const block_q8_K& row, __m256i products) {
    const __m256i parts = _mm256_madd_epi16(load(row.bsums), load(weights.offsets));
    __m128i offset =
        _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
    offset = _mm_hadd_epi32(offset, offset);
    offset = _mm_hadd_epi32(offset, offset);
    const float offset_scale = -row.d * weights.offset_scale;
    offsets += offset_scale * static_cast<float>(_mm_cvtsi128_si32(offset));
    const float scale = row.d * weights.scale;
    sum = _mm256_fmadd_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(products), sum);
  }

  float value() const { return sum_of(sum) + offsets; }
};

// ── One multiplication ──────────────────────────────────────────────────────

// One row of weights with COUNT rows of activations: the number `at` of each one's results.
template <class Sum, int COUNT>
void multiply(const Decoded* weights, int64_t blocks, const block_q8_K* const* rows,
              float* const* results, int64_t at) {
  Sum sums[COUNT];
  for (int64_t i = 0; i < blocks; ++i) {
    __m256i products[COUNT];
    for (__m256i& one : products)
      one = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (int part = 0; part < kParts; ++part) {
      const __m256i some = load(weights[i].weights + part * kPart);
      const __m256i scales = load(weights[i].scales[part]);
      for (int row = 0; row < COUNT; ++row) {
        const __m256i pairs = _mm256_maddubs_epi16(some, load(rows[row][i].qs + part * kPart));
        products[row] = _mm256_add_epi32(products[row], _mm256_madd_epi16(scales, pairs));
      }
    }
    for (int row = 0; row < COUNT; ++row)
      sums[row].add(weights[i], rows[row][i], products[row]);
  }
  for (int row = 0; row < COUNT; ++row)
    results[row][at] = sums[row].value();
}

template <class Sum>
void multiply(int64_t count, const Decoded* weights, int64_t blocks, const block_q8_K* const* rows,
              float* const* results, int64_t at) {
  switch (count) {
    case 1:
      return multiply<Sum, 1>(weights, blocks, rows, results, at);
    case 2:
      return multiply<Sum, 2>(weights, blocks, rows, results, at);
    case 3:
      return multiply<Sum, 3>(weights, blocks, rows, results, at);
    default:
      return multiply<Sum, kColumns>(weights, blocks, rows, results, at);
  }
}

bool is_multiplied(const ggml_tensor& result) {
  const ggml_tensor& weights = *result.src[0];
  if (weights.type != GGML_TYPE_Q5_K && weights.type != GGML_TYPE_Q6_K) return false;
  return result.src[1]->type == GGML_TYPE_F32 && result.src[1]->ne[1] > 1 && weights.ne[2] == 1 &&
         weights.ne[3] == 1;
}

int64_t rows_at_a_time(int64_t blocks) {
  const auto fitting = static_cast<int64_t>(kPanel / sizeof(Decoded)) / blocks;
  return std::clamp<int64_t>(fitting, 1, kMostRows);
}

size_t scratch_size(const ggml_tensor& result) {
  const int64_t blocks = result.src[0]->ne[0] / QK_K;
  return rows_at_a_time(blocks) * blocks * sizeof(Decoded) + kLine;
}

// The activations lie behind the work buffer's beginning as ggml has converted them to Q8_K; each
// thread's scratch lies behind them.
template <class Block, class Sum>
void multiply_all(const ggml_compute_params& params, const ggml_tensor& result) {
  const ggml_tensor& weights = *result.src[0];
  const int64_t blocks = weights.ne[0] / QK_K;
  const int64_t count = result.ne[1] * result.ne[2] * result.ne[3];
  const auto* const rows = static_cast<const block_q8_K*>(params.wdata);
  const size_t used = count * blocks * sizeof(block_q8_K);
  const size_t scratch = scratch_size(result);
  GGML_ASSERT(used + params.nth * scratch <= params.wsize);
  void* free = static_cast<char*>(params.wdata) + used + params.ith * scratch;
  size_t room = scratch;
  auto* const decoded = static_cast<Decoded*>(std::align(kLine, scratch - kLine, free, room));
  const int64_t together = rows_at_a_time(blocks);
  const auto place_of = [&](int64_t row) {
    const int64_t in_plane = row % (result.ne[1] * result.ne[2]);
    return static_cast<char*>(result.data) + row % result.ne[1] * result.nb[1] +
           in_plane / result.ne[1] * result.nb[2] +
           row / (result.ne[1] * result.ne[2]) * result.nb[3];
  };
  // Each thread begins with the chunk of its own number: ggml has set the counter to what follows.
  const int64_t chunks = (weights.ne[1] + together - 1) / together;
  for (int64_t chunk = params.ith; chunk < chunks;
       chunk = ggml_threadpool_chunk_add(params.threadpool, 1)) {
    const int64_t first = chunk * together;
    const int64_t end = std::min(first + together, weights.ne[1]);
    for (int64_t at = first; at < end; ++at) {
      const auto* const from = reinterpret_cast<const Block*>(
          static_cast<const char*>(weights.data) + at * weights.nb[1]);
      for (int64_t i = 0; i < blocks; ++i)
        decode(from[i], decoded[(at - first) * blocks + i]);
    }
    for (int64_t row = 0; row < count; row += kColumns) {
      const int64_t some = std::min(kColumns, count - row);
      const block_q8_K* columns[kColumns] = {};
      float* results[kColumns] = {};
      for (int64_t i = 0; i < some; ++i) {
        columns[i] = rows + (row + i) * blocks;
        results[i] = reinterpret_cast<float*>(place_of(row + i));
      }
      for (int64_t at = first; at < end; ++at)
        multiply<Sum>(some, decoded + (at - first) * blocks, blocks, columns, results, at);
    }
  }
}

#endif

}  // namespace

extern "C" {

bool cria_is_multiplied(const ggml_tensor* result) {
#ifdef CRIA_MULTIPLIES_K_QUANTS
  if (is_multiplied(*result)) return true;
#endif
  return ggml_cpu_iqp_supports_mul_mat(result);
}

size_t cria_multiplication_scratch(const ggml_tensor* result) {
#ifdef CRIA_MULTIPLIES_K_QUANTS
  if (is_multiplied(*result)) return scratch_size(*result);
#endif
  return ggml_cpu_iqp_scratch_size(result);
}

void cria_multiply(const ggml_compute_params* params, ggml_tensor* result) {
#ifdef CRIA_MULTIPLIES_K_QUANTS
  if (is_multiplied(*result)) {
    if (result->src[0]->type == GGML_TYPE_Q5_K) {
      multiply_all<block_q5_K, SumOfQ5>(*params, *result);
    } else {
      multiply_all<block_q6_K, SumOfQ6>(*params, *result);
    }
    return;
  }
#endif
  ggml_compute_forward_mul_mat_iqp(params, result);
}

}  // extern "C"
