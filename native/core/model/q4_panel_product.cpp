// Weights in Q4_K, of which ggml has laid eight rows side by side, times rows of activations, four
// side by side: in the place of ggml's own product (repack_hooks.h), with AVX2 alone. Belongs to
// ggml-cpu; compiled for each level.
//
// Each row gets what ggml's product of a row alone gives it, to the bit: the sums of a super-block
// are integers, and the floats are added up in the same order.

#include "core/model/repack_hooks.h"

#ifdef CRIA_MULTIPLIES_Q4_PANELS

#define GGML_COMMON_DECL_CPP
#include <ggml-common.h>
#include <repack.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "core/model/k_quant_blocks.h"

namespace {

using cria::k_quants::load;
using cria::k_quants::store;
using cria::k_quants::unpack_scales;

constexpr int kSide = 8;              // rows of weights side by side
constexpr int kRows = 4;              // rows of activations
constexpr int kPart = 32;             // weights with one scale
constexpr int kParts = QK_K / kPart;  // of a super-block
constexpr int kFours = kPart / 4;     // of a part

// Eight rows of a super-block, as they are multiplied. A register holds four weights, two scales
// or one sum of each row, in the order in which two registers of ggml's are shuffled into one.
struct alignas(64) Panel {
  uint8_t weights[kParts][kFours][32];
  int16_t scales[kParts][16];  // each twice
  int16_t least[kParts][16];   // the same of the values that are taken off
  float scale[kSide];
  float least_scale[kSide];
};

struct Freed {
  void operator()(Panel* panel) const {
    ::operator delete(panel, std::align_val_t(alignof(Panel)));
  }
};

// A thread's own, as large as it was ever needed.
struct Room {
  std::unique_ptr<Panel, Freed> panels;
  size_t count = 0;

  // Null where there is no memory.
  Panel* of(size_t wanted) {
    if (wanted <= count) return panels.get();
    void* const made =
        ::operator new(wanted * sizeof(Panel), std::align_val_t(alignof(Panel)), std::nothrow);
    if (made == nullptr) return nullptr;
    panels.reset(static_cast<Panel*>(made));
    count = wanted;
    return panels.get();
  }
};

// Its own inverse.
__m256 in_order(__m256 rows) {
  return _mm256_permutevar8x32_ps(rows, _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7));
}

__m256 in_order(const ggml_half* halves) {
  return in_order(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves))));
}

__m256i by_fours(__m256i first, __m256i second, bool upper) {
  const __m256 a = _mm256_castsi256_ps(first);
  const __m256 b = _mm256_castsi256_ps(second);
  return _mm256_castps_si256(upper ? _mm256_shuffle_ps(a, b, 0xDD) : _mm256_shuffle_ps(a, b, 0x88));
}

// Eight bytes of each row stand side by side: the lower four bits belong to one part, the upper
// ones to the next.
void decode_weights(const uint8_t* packed, Panel& to) {
  const __m256i low = _mm256_set1_epi8(0x0F);
  for (int eight = 0; eight < QK_K / 16; ++eight, packed += 64) {
    const __m256i first = load(packed);
    const __m256i second = load(packed + 32);
    const int part = eight / 4 * 2;
    for (int half = 0; half < 2; ++half) {
      const __m256i fours = by_fours(first, second, half == 1);
      const int place = eight % 4 * 2 + half;
      store(to.weights[part][place], _mm256_and_si256(fours, low));
      store(to.weights[part + 1][place], _mm256_and_si256(_mm256_srli_epi16(fours, 4), low));
    }
  }
}

// Of each part eight scales and eight least values, of six bits each.
void decode_scales(const uint8_t* packed, Panel& to) {
  const __m128i twice = _mm_setr_epi8(0, 0, 1, 1, 4, 4, 5, 5, 2, 2, 3, 3, 6, 6, 7, 7);
  for (int part = 0; part < kParts; ++part, packed += 12) {
    const __m128i scales = unpack_scales(packed);
    store(to.scales[part], _mm256_cvtepu8_epi16(_mm_shuffle_epi8(scales, twice)));
    const __m128i least = _mm_unpackhi_epi64(scales, scales);
    store(to.least[part], _mm256_cvtepu8_epi16(_mm_shuffle_epi8(least, twice)));
  }
}

void decode(const block_q4_Kx8& block, Panel& to) {
  decode_weights(block.qs, to);
  decode_scales(block.scales, to);
  _mm256_store_ps(to.scale, in_order(block.d));
  _mm256_store_ps(to.least_scale, in_order(block.dmin));
}

// Four bytes for each row of weights.
__m256i four_of(const void* from) {
  int32_t bytes = 0;
  std::memcpy(&bytes, from, sizeof bytes);
  return _mm256_set1_epi32(bytes);
}

// The sums of 32 products are less than 2^15: 15 * 127 * 16 of each half.
void multiply(const Panel* panels, const block_q8_Kx4* rows, int64_t blocks, float* results,
              size_t stride) {
  __m256 sums[kRows];
  __m256 least[kRows];
  for (int row = 0; row < kRows; ++row)
    sums[row] = least[row] = _mm256_setzero_ps();
  for (int64_t i = 0; i < blocks; ++i) {
    const Panel& panel = panels[i];
    __m256i products[kRows];
    __m256i offsets[kRows];
    for (int row = 0; row < kRows; ++row)
      products[row] = offsets[row] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (int part = 0; part < kParts; ++part) {
      const int8_t* const activations = rows[i].qs + part * kPart * kRows;
      __m256i pairs[kRows];
      for (__m256i& one : pairs)
        one = _mm256_setzero_si256();
      for (int four = 0; four < kFours; ++four) {
        const __m256i weights = load(panel.weights[part][four]);
        const int8_t* const from = activations + four / 2 * 8 * kRows + four % 2 * 4;
        for (int row = 0; row < kRows; ++row)
          pairs[row] =
              _mm256_add_epi16(pairs[row], _mm256_maddubs_epi16(weights, four_of(from + row * 8)));
      }
      const __m256i scales = load(panel.scales[part]);
      for (int row = 0; row < kRows; ++row)
        products[row] = _mm256_add_epi32(products[row], _mm256_madd_epi16(pairs[row], scales));
    }
    for (int part = 0; part < kParts; ++part) {
      const __m256i scales = load(panel.least[part]);
      const int16_t* const from = rows[i].bsums + part / 2 * 4 * kRows + part % 2 * 2;
      for (int row = 0; row < kRows; ++row)
        offsets[row] =
            _mm256_add_epi32(offsets[row], _mm256_madd_epi16(scales, four_of(from + row * 4)));
    }
    const __m256 scale = _mm256_load_ps(panel.scale);
    const __m256 least_scale = _mm256_load_ps(panel.least_scale);
    for (int row = 0; row < kRows; ++row) {
      const __m256 of_row = _mm256_set1_ps(rows[i].d[row]);
      sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[row]), _mm256_mul_ps(scale, of_row),
                                  sums[row]);
      least[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(offsets[row]),
                                   _mm256_mul_ps(least_scale, of_row), least[row]);
    }
  }
  for (int row = 0; row < kRows; ++row, results += stride)
    _mm256_storeu_ps(results, in_order(_mm256_sub_ps(sums[row], least[row])));
}

}  // namespace

// As ggml_gemm_q4_K_8x8_q8_K(): `row_count` is a multiple of 4, `weight_count` of 8, `stride` that
// of the results, in floats.
void cria_multiply_q4_panels(int width, float* results, size_t stride, const void* weights,
                             const void* rows, int row_count, int weight_count) {
  thread_local Room room;
  const int64_t blocks = width / QK_K;
  Panel* const panels = room.of(static_cast<size_t>(blocks));
  if (panels == nullptr) {
    ggml_gemm_q4_K_8x8_q8_K(width, results, stride, weights, rows, row_count, weight_count);
    return;
  }
  const auto* const from = static_cast<const block_q4_Kx8*>(weights);
  const auto* const activations = static_cast<const block_q8_Kx4*>(rows);
  for (int64_t side = 0; side < weight_count / kSide; ++side) {
    for (int64_t i = 0; i < blocks; ++i)
      decode(from[side * blocks + i], panels[i]);
    for (int64_t four = 0; four < row_count / kRows; ++four)
      multiply(panels, activations + four * blocks, blocks,
               results + four * kRows * stride + side * kSide, stride);
  }
}

#endif
