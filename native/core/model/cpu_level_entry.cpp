// Compiled once for each level, with the level's instructions and name.

#include "core/model/cpu_level.h"

extern "C" {
extern const cria::CpuLevel cria_cpu_level;
const cria::CpuLevel cria_cpu_level = {
    CRIA_CPU_LEVEL,       ggml_backend_cpu_reg,     ggml_threadpool_new,
    ggml_threadpool_free, ggml_get_type_traits_cpu, &cria::logit_kernels,
};
}
