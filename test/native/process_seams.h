// What breakdown-test does to its own process: how many threads it has, threads that do not start,
// code that kills it. Once for POSIX, once for Windows (mingw-w64, whose linker can wrap a
// function).
#pragma once

#include <atomic>
#include <cerrno>

#include "harness.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <process.h>
#include <windows.h>
// After windows.h, whose types it uses.
#include <tlhelp32.h>
#else
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace seams {

// The next so many threads start; those behind them do not.
inline std::atomic<int> starts_left{1 << 30};

#ifdef _WIN32

inline int threads_now() {
  const HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  CHECK(list != INVALID_HANDLE_VALUE);
  THREADENTRY32 entry{};
  entry.dwSize = sizeof entry;
  int count = 0;
  for (BOOL more = Thread32First(list, &entry); more; more = Thread32Next(list, &entry))
    count += entry.th32OwnerProcessID == GetCurrentProcessId();
  CloseHandle(list);
  return count;
}

// Windows does not fork: the program is started again with this as its only argument.
inline constexpr char kDie[] = "die";

inline bool dies(void (* /*body*/)()) {
  char self[MAX_PATH];
  CHECK(GetModuleFileNameA(nullptr, self, sizeof self) != 0);
  return _spawnl(_P_WAIT, self, "self", kDie, nullptr) != 0;
}

// Whether this is that other process, which then does as it is told.
inline bool died(int argc, char** argv, void (*body)()) {
  if (argc != 2 || std::string_view(argv[1]) != kDie) return false;
  SetErrorMode(SEM_NOGPFAULTERRORBOX);
  body();
  return true;
}

#else

inline int threads_now() {
  int count = 0;
  DIR* tasks = opendir("/proc/self/task");
  CHECK(tasks != nullptr);
  while (const dirent* task = readdir(tasks))
    count += task->d_name[0] != '.';
  closedir(tasks);
  return count;
}

inline bool dies(void (*body)()) {
  const pid_t child = fork();
  if (child == 0) {
    for (const int fault : {SIGSEGV, SIGBUS})
      signal(fault, SIG_DFL);  // a sanitizer would report it
    body();
    _exit(0);
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status);
}

inline bool died(int /*argc*/, char** /*argv*/, void (* /*body*/)()) { return false; }

#endif

}  // namespace seams

#ifdef _WIN32

// All calls, those of winpthreads included, go through this pointer, in whose place the linker puts
// the other one (CMakeLists.txt, --wrap).
using ThreadStart = unsigned(__stdcall*)(void*);
using BeginThread = uintptr_t (*)(void* security, unsigned stack, ThreadStart body, void* argument,
                                  unsigned flags, unsigned* id);

extern "C" BeginThread __real___imp__beginthreadex;
extern "C" BeginThread __wrap___imp__beginthreadex;

BeginThread __wrap___imp__beginthreadex = [](void* security, unsigned stack, ThreadStart body,
                                             void* argument, unsigned flags,
                                             unsigned* id) -> uintptr_t {
  if (--seams::starts_left < 0) {
    errno = EAGAIN;
    return 0;
  }
  return __real___imp__beginthreadex(security, stack, body, argument, flags, id);
};

#else

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
// They have to know each thread, and have a function of their own in libc's place.
extern "C" int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*),
                                            void*);
#define CRIA_SANITIZED_PTHREAD_CREATE __interceptor_pthread_create
#endif
#endif

// Instead of libc's, for all of this program.
extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
#ifdef CRIA_SANITIZED_PTHREAD_CREATE
  static constexpr Create create = CRIA_SANITIZED_PTHREAD_CREATE;
#else
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
#endif
  if (--seams::starts_left < 0) return EAGAIN;
  return create(thread, attributes, body, argument);
}

#endif
