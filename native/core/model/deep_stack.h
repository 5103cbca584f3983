// Threads with room for recursion that grows with its input: llama.cpp splits text for many
// vocabularies with std::regex, which takes about 400 bytes of stack for every character of a
// match. 30,000 exclamation marks are enough to overflow the 8 MB of a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace cria {

// How far the calling thread's stack reaches down. No local's address would tell: AddressSanitizer
// keeps locals elsewhere.
inline uintptr_t stack_position() {
#ifdef _MSC_VER
  const volatile char local = 0;
  return reinterpret_cast<uintptr_t>(&local);
#else
  return reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
#endif
}

// Runs `work` and waits for it, on a thread with `bytes` of stack; what it throws is thrown here.
// Throws ERR_OUT_OF_MEMORY where the system starts no such thread.
void with_stack(size_t bytes, const std::function<void()>& work);

// For work that cannot be stopped: it can be left behind on its thread, and whoever waits for it
// goes on. So the work owns all that it uses. A few at a time in the whole process, which does not
// wait for them when it exits.
//
// True: it is done. False: `goes_on`, asked every few milliseconds, said no first, or threw. What
// `work` throws is thrown here. Throws ERR_OUT_OF_MEMORY where the system starts no such thread.
bool run_or_leave_behind(size_t stack, std::function<void()> work,
                         const std::function<bool()>& goes_on);

}  // namespace cria
