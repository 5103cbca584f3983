#include "ggml_hooks.h"

#ifdef _WIN32

typedef int cria_nothing_to_hook;

#else

#if defined(__x86_64__)
#include <immintrin.h>
#endif

void cria_cpu_relax(void) {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield" ::: "memory");
#endif
}

struct cria_ggml_hooks cria_ggml_hooks = {pthread_create, cria_cpu_relax};

#endif
