#include "binding/process_exit.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#endif

// The linker sends every registration of a static destructor here (CMakeLists.txt, --wrap); on
// macOS the compiler makes none.
#ifdef __linux__

extern "C" {

int __real___cxa_atexit(void (*function)(void*), void* argument, void* library);

int __wrap___cxa_atexit(void (* /*function*/)(void*), void* /*argument*/, void* /*library*/) {
  return 0;
}

}  // extern "C"

namespace cria::binding {

bool at_process_exit(void (*handler)(void*)) {
  return __real___cxa_atexit(handler, nullptr, nullptr) == 0;
}

}  // namespace cria::binding

#elif defined(_WIN32)

extern "C" {

// Of the C library: runs constructors and destructors.
#ifdef _MSC_VER
#define CRIA_LIBRARY_ENTRY_POINT _DllMainCRTStartup
#else
#define CRIA_LIBRARY_ENTRY_POINT DllMainCRTStartup
#endif
BOOL WINAPI CRIA_LIBRARY_ENTRY_POINT(HINSTANCE library, DWORD reason, LPVOID process_ends);

// What Windows calls instead (cmake/windows.cmake). When the process ends, no destructor is to run:
// the other threads are gone, and what they had locked stays locked.
BOOL WINAPI cria_entry_point(HINSTANCE library, DWORD reason, LPVOID process_ends) {
  if (reason == DLL_PROCESS_DETACH && process_ends != nullptr) return TRUE;
  return CRIA_LIBRARY_ENTRY_POINT(library, reason, process_ends);
}

}  // extern "C"

namespace cria::binding {

bool at_process_exit(void (* /*handler*/)(void*)) {
  // Node unloads a library with the last worker that used it.
  constexpr DWORD kPin = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  HMODULE library = nullptr;
  return GetModuleHandleExW(kPin, reinterpret_cast<LPCWSTR>(&cria_entry_point), &library) != 0;
}

}  // namespace cria::binding

#else

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library);

namespace cria::binding {

bool at_process_exit(void (*handler)(void*)) {
  return __cxa_atexit(handler, nullptr, nullptr) == 0;
}

}  // namespace cria::binding

#endif
