// What AVX-512's instructions for BF16 change in ggml's CPU backend: two functions, which
// ggml-cpu.c calls by way of these pointers (ggml_hooks.h). So the level with those instructions
// needs only its own two, and shares the rest with the level below it (cmake/cpu-levels.cmake).
#pragma once

#include <ggml-cpu-impl.h>
#include <llamafile/sgemm.h>
#include <vec.h>

#include <cstddef>
#include <cstdint>

extern "C" {

struct cria_bf16_kernels {
  decltype(&ggml_vec_dot_bf16) dot;
  decltype(&llamafile_sgemm) multiply;
};

// Replaced, if at all, before the backend is first asked for anything (cpu_level_entry.cpp).
extern cria_bf16_kernels cria_bf16_kernels_in_use;
}
