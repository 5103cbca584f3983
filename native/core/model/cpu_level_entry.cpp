// Compiled once for each level, with the level's instructions and name.

#include "core/model/cpu_level.h"

#ifdef CRIA_ONLY_BF16
#include "core/model/bf16_kernels.h"

// Of a level that has only these of its own: all other names are those of the level below it.
static ggml_backend_reg_t cria_registry() {
  cria_bf16_kernels_in_use = {ggml_vec_dot_bf16, llamafile_sgemm};
  return ggml_backend_cpu_reg();
}
#else
#define cria_registry ggml_backend_cpu_reg
#endif

extern "C" {
extern const cria::CpuLevel cria_cpu_level;
const cria::CpuLevel cria_cpu_level = {
    CRIA_CPU_LEVEL,           cria_registry,        ggml_threadpool_new, ggml_threadpool_free,
    ggml_get_type_traits_cpu, &cria::logit_kernels,
};
}
