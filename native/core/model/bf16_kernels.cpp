#include "core/model/bf16_kernels.h"

extern "C" {

cria_bf16_kernels cria_bf16_kernels_in_use = {ggml_vec_dot_bf16, llamafile_sgemm};

void cria_vec_dot_bf16(int n, float* sum, size_t sum_stride, ggml_bf16_t* x, size_t x_stride,
                       ggml_bf16_t* y, size_t y_stride, int rows) {
  cria_bf16_kernels_in_use.dot(n, sum, sum_stride, x, x_stride, y, y_stride, rows);
}

bool cria_sgemm(const ggml_compute_params* params, int64_t m, int64_t n, int64_t k, const void* a,
                int64_t lda, const void* b, int64_t ldb, void* c, int64_t ldc, int a_type,
                int b_type, int c_type) {
  return cria_bf16_kernels_in_use.multiply(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type,
                                           c_type);
}
}
