#include "ggml_hooks.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <errno.h>
#include <process.h>
#include <stdint.h>
#include <stdlib.h>
#include <windows.h>
#endif

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(_M_ARM64)
#include <intrin.h>
#endif

#ifdef _WIN32

struct start {
  cria_thread_body body;
  void* argument;
};

static unsigned __stdcall run(void* data) {
  const struct start start = *(struct start*)data;
  free(data);
  return start.body(start.argument);
}

/* Not by CreateThread: only this thread may use all of the C library. */
int cria_create_thread(cria_thread* thread, cria_thread_body body, void* argument) {
  struct start* start = malloc(sizeof *start);
  if (start == NULL) return ENOMEM;
  start->body = body;
  start->argument = argument;
  *thread = (cria_thread)_beginthreadex(NULL, 0, run, start, 0, NULL);
  if (*thread != NULL) return 0;
  free(start);
  return EAGAIN;
}

void cria_join_thread(cria_thread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

#else

int cria_create_thread(cria_thread* thread, cria_thread_body body, void* argument) {
  return pthread_create(thread, NULL, body, argument);
}

void cria_join_thread(cria_thread thread) { pthread_join(thread, NULL); }

#endif

void cria_cpu_relax(void) {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(_M_ARM64)
  __yield();
#elif defined(__aarch64__)
  __asm__ volatile("yield" ::: "memory");
#endif
}

struct cria_ggml_hooks cria_ggml_hooks = {cria_create_thread, cria_cpu_relax};
