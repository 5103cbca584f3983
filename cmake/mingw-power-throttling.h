/* Put in front of ggml-cpu.c. The headers of mingw-w64 before version 11 know
   ThreadPowerThrottling, but not its structure. */
#pragma once

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#if __MINGW64_VERSION_MAJOR < 11

#define THREAD_POWER_THROTTLING_CURRENT_VERSION 1
#define THREAD_POWER_THROTTLING_EXECUTION_SPEED 1

typedef struct {
  ULONG Version;
  ULONG ControlMask;
  ULONG StateMask;
} THREAD_POWER_THROTTLING_STATE;

#endif
