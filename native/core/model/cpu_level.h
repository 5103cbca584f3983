// A CPU level is a set of instructions that code is compiled for. A prebuilt engine has ggml's CPU
// backend in it once for each level, with renamed symbols (cmake/cpu-levels.cmake), and uses the
// highest one that this CPU has. All other code needs no more than the architecture's least. A
// build for this machine has one level, "native".
#pragma once

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include "core/model/logit_kernels.h"

namespace cria {

// What is used of a level. One constant per level, made by cpu_level_entry.cpp.
struct CpuLevel {
  const char* name;
  ggml_backend_reg_t (*registry)();
  ggml_threadpool* (*threadpool_new)(ggml_threadpool_params* params);
  void (*threadpool_free)(ggml_threadpool* pool);
  const ggml_type_traits_cpu* (*type_traits)(ggml_type type);
  const LogitKernels* logits;
};

// The level that the process uses: found at the first call, the same from then on. CRIA_CPU_LEVEL
// (environment) names a lower one. Throws ERR_UNSUPPORTED_CPU if this CPU lacks it, or has none,
// and ERR_INVALID_ARGUMENT if there is none of that name.
const CpuLevel& cpu_level();

}  // namespace cria
