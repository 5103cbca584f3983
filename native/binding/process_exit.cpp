#include "binding/process_exit.h"

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

namespace cria::binding {

// Windows ends all other threads before it notifies a library of the exit.
bool at_process_exit(void (* /*handler*/)(void*)) { return true; }

}  // namespace cria::binding

#else

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* library);

namespace cria::binding {

bool at_process_exit(void (*handler)(void*)) {
  return __cxa_atexit(handler, nullptr, nullptr) == 0;
}

}  // namespace cria::binding

#endif
