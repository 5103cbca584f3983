// Put in front of ggml's AMX code. GCC before 12.4, 13.3 and 14 (bug 114098) declares that
// _tile_loadconfig reads 8 of the 64 bytes it reads, drops the stores to the others, and the first
// matrix multiplication dies of SIGILL or SIGSEGV. This one tells the compiler the truth.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 14

#include <immintrin.h>

#undef _tile_loadconfig
#define _tile_loadconfig(config) \
  __asm__ volatile("ldtilecfg %X0" : : "m"(*reinterpret_cast<const char(*)[64]>(config)))
#endif
