/* Included in front of ggml-cpu.c (see CMakeLists.txt). By itself ggml starts the threads of a pool
   as it likes, and if one of them fails an assertion, the others spin at a barrier until the
   process ends. With these hooks it calls us to start a thread, and to pause in a loop that waits:
   compute_pool.cpp implements both.

   Belongs to ggml's target, so that every program that links ggml finds it. */
#pragma once

#ifdef _WIN32

typedef void* cria_thread; /* a HANDLE, which whoever joins the thread closes */
typedef unsigned long (*cria_thread_body)(void* argument);

#else

#include <pthread.h>

typedef pthread_t cria_thread;
typedef void* (*cria_thread_body)(void* argument);

#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Replaced before the first thread of a pool is started; until then, what ggml does by itself. */
struct cria_ggml_hooks {
  /* 0, or an error's number. */
  int (*create_thread)(cria_thread* thread, cria_thread_body body, void* argument);
  void (*relax)(void);
};

extern struct cria_ggml_hooks cria_ggml_hooks;

int cria_create_thread(cria_thread* thread, cria_thread_body body, void* argument);
void cria_join_thread(cria_thread thread);
void cria_cpu_relax(void);

#ifdef __cplusplus
}
#endif

#ifdef CRIA_HOOK_GGML

#ifdef _WIN32

/* There ggml has a pthread_create of its own, which calls CreateThread. windows.h comes before the
   macro, and with the definitions that ggml gives it. */
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

static HANDLE cria_thread_of_hook(LPTHREAD_START_ROUTINE body, void* argument) {
  HANDLE thread = NULL;
  const int failed = cria_ggml_hooks.create_thread(&thread, (cria_thread_body)body, argument);
  return failed == 0 ? thread : NULL;
}

#define CreateThread(security, stack, body, argument, flags, id) cria_thread_of_hook(body, argument)

#else

#define pthread_create(thread, attributes, body, argument) \
  cria_ggml_hooks.create_thread(thread, body, argument)

#endif

/* attention.cpp, which calls ggml's for what it does not compute itself. */
#define ggml_compute_forward_flash_attn_ext cria_attention

/* k_quant_product.cpp, likewise. */
#define ggml_cpu_iqp_supports_mul_mat cria_is_multiplied
#define ggml_cpu_iqp_scratch_size cria_multiplication_scratch
#define ggml_compute_forward_mul_mat_iqp cria_multiply

/* bf16_kernels.cpp, which calls ggml's, or those of a level that has only these of its own. */
#define ggml_vec_dot_bf16 cria_vec_dot_bf16
#define llamafile_sgemm cria_sgemm

/* Its definition, `…relax(void)`, gets another name; its calls, `…relax()`, come to us. */
#define ggml_thread_cpu_relax(parameters) cria_relax_##parameters
#define cria_relax_void ggml_thread_cpu_relax_of_ggml(void)
#define cria_relax_ cria_ggml_hooks.relax()

#endif
