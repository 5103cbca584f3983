/* Included in front of ggml-cpu.c (see CMakeLists.txt). By itself ggml starts the threads of a pool
   as it likes, and if one of them fails an assertion, the others spin at a barrier until the
   process ends. With these hooks it calls us to start a thread, and to pause in a loop that waits:
   compute_pool.cpp implements both.

   Belongs to ggml's target, so that every program that links ggml finds it. */
#pragma once

#ifndef _WIN32

#include <pthread.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void* (*cria_thread_body)(void* argument);

/* Replaced before the first thread of a pool is started; until then, what ggml does by itself. */
struct cria_ggml_hooks {
  int (*create_thread)(pthread_t* thread, const pthread_attr_t* attributes, cria_thread_body body,
                       void* argument);
  void (*relax)(void);
};

extern struct cria_ggml_hooks cria_ggml_hooks;

void cria_cpu_relax(void);

#ifdef __cplusplus
}
#endif

#ifdef CRIA_HOOK_GGML

#define pthread_create(thread, attributes, body, argument) \
  cria_ggml_hooks.create_thread(thread, attributes, body, argument)

/* Its definition, `…relax(void)`, gets another name; its calls, `…relax()`, come to us. */
#define ggml_thread_cpu_relax(parameters) cria_relax_##parameters
#define cria_relax_void ggml_thread_cpu_relax_of_ggml(void)
#define cria_relax_ cria_ggml_hooks.relax()

#endif

#endif
