// Included in front of ggml's repack.cpp (see CMakeLists.txt): q4_panel_product.cpp in the place of
// ggml's product, where only AVX2 is there for it. With AVX-512 ggml's has registers twice as wide.
#pragma once

#include <cstddef>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__) && !defined(__AVX512F__)

#define CRIA_MULTIPLIES_Q4_PANELS

void cria_multiply_q4_panels(int width, float* results, size_t stride, const void* weights,
                             const void* rows, int row_count, int weight_count);

#ifdef CRIA_HOOK_REPACK
#include <repack.h>
#define ggml_gemm_q4_K_8x8_q8_K cria_multiply_q4_panels
#endif

#endif
