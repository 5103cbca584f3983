// As many floats as one register of the level holds that a file is compiled for, and the few
// operations that kernels need. Included by files of CRIA_LEVEL_FILES and by ggml-cpu's alone.
#pragma once

#include <cstdint>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__SSE3__)
#include <pmmintrin.h>
#endif

namespace cria::floats {

#if defined(__AVX512F__)

using Floats = __m512;
constexpr int kWidth = 16;

inline Floats zero() { return _mm512_setzero_ps(); }
inline Floats all(float x) { return _mm512_set1_ps(x); }
inline Floats load(const float* from) { return _mm512_loadu_ps(from); }
inline void store(float* to, Floats x) { _mm512_storeu_ps(to, x); }
inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
#define CRIA_LOADS_HALVES
inline Floats load(const uint16_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

#elif defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER))

using Floats = __m256;
constexpr int kWidth = 8;

inline Floats zero() { return _mm256_setzero_ps(); }
inline Floats all(float x) { return _mm256_set1_ps(x); }
inline Floats load(const float* from) { return _mm256_loadu_ps(from); }
inline void store(float* to, Floats x) { _mm256_storeu_ps(to, x); }
inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
#if defined(__F16C__) || defined(_MSC_VER)
#define CRIA_LOADS_HALVES
inline Floats load(const uint16_t* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#endif

#elif defined(__ARM_NEON) && defined(__aarch64__)

using Floats = float32x4_t;
constexpr int kWidth = 4;

inline Floats zero() { return vdupq_n_f32(0.0F); }
inline Floats all(float x) { return vdupq_n_f32(x); }
inline Floats load(const float* from) { return vld1q_f32(from); }
inline void store(float* to, Floats x) { vst1q_f32(to, x); }
inline Floats multiply_add(Floats a, Floats b, Floats c) { return vfmaq_f32(c, a, b); }
#define CRIA_LOADS_HALVES
inline Floats load(const uint16_t* from) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

#elif defined(__SSE3__)

using Floats = __m128;
constexpr int kWidth = 4;

inline Floats zero() { return _mm_setzero_ps(); }
inline Floats all(float x) { return _mm_set1_ps(x); }
inline Floats load(const float* from) { return _mm_loadu_ps(from); }
inline void store(float* to, Floats x) { _mm_storeu_ps(to, x); }
inline Floats multiply_add(Floats a, Floats b, Floats c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }

#else

struct Floats {
  float lane[4];
};
constexpr int kWidth = 4;

inline Floats zero() { return {}; }
inline Floats all(float x) { return {{x, x, x, x}}; }
inline Floats load(const float* from) { return {{from[0], from[1], from[2], from[3]}}; }
inline void store(float* to, const Floats& x) {
  for (int i = 0; i < kWidth; ++i)
    to[i] = x.lane[i];
}
inline Floats multiply_add(const Floats& a, const Floats& b, Floats c) {
  for (int i = 0; i < kWidth; ++i)
    c.lane[i] += a.lane[i] * b.lane[i];
  return c;
}

#endif

// What was loaded, in a register: where it is used several times, compilers would rather have each
// operation load it again, and the loads then take longer than the operations.
inline Floats in_register(Floats x) {
#if defined(__GNUC__) && defined(__AVX__)
  __asm__("" : "+v"(x));
#endif
  return x;
}

// The sum of each of four, all by the same tree of additions.
#if defined(__AVX512F__) || (defined(__AVX2__) && (defined(__FMA__) || defined(_MSC_VER)))

inline void sums(__m256 a, __m256 b, __m256 c, __m256 d, float* to) {
  const __m256 pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
}

#if defined(__AVX512F__)

inline __m256 halves_added(__m512 x) {
  const __m512 high = _mm512_shuffle_f32x4(x, x, 0xEE);
  return _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_castps512_ps256(high));
}
inline void sums(Floats a, Floats b, Floats c, Floats d, float* to) {
  sums(halves_added(a), halves_added(b), halves_added(c), halves_added(d), to);
}

#endif

#elif defined(__ARM_NEON) && defined(__aarch64__)

inline void sums(Floats a, Floats b, Floats c, Floats d, float* to) {
  store(to, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}

#elif defined(__SSE3__)

inline void sums(Floats a, Floats b, Floats c, Floats d, float* to) {
  store(to, _mm_hadd_ps(_mm_hadd_ps(a, b), _mm_hadd_ps(c, d)));
}

#else

inline void sums(const Floats& a, const Floats& b, const Floats& c, const Floats& d, float* to) {
  const Floats* const four[] = {&a, &b, &c, &d};
  for (int i = 0; i < 4; ++i)
    to[i] = (four[i]->lane[0] + four[i]->lane[1]) + (four[i]->lane[2] + four[i]->lane[3]);
}

#endif

}  // namespace cria::floats
