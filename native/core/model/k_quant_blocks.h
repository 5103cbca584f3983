// What the products of K-quants have in common. Included by files of CRIA_KERNEL_FILES alone, which
// are compiled for each level, and only where that has AVX2.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace cria::k_quants {

inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
inline void store(void* to, __m256i x) { _mm256_storeu_si256(static_cast<__m256i*>(to), x); }

// Eight scales and, behind them, eight least values, which are packed in six bits each.
inline __m128i unpack_scales(const uint8_t* packed) {
  uint32_t words[3];
  std::memcpy(words, packed, sizeof words);
  const auto lower = [](uint32_t word) { return static_cast<int>(word & 0x3F3F3F3F); };
  const auto upper = [](uint32_t low, uint32_t high) {
    return static_cast<int>((low & 0x0F0F0F0F) | (high >> 6 & 0x03030303) << 4);
  };
  return _mm_setr_epi32(lower(words[0]), upper(words[2], words[0]), lower(words[1]),
                        upper(words[2] >> 4, words[1]));
}

}  // namespace cria::k_quants
