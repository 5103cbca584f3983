// Room for recursion that grows with its input: llama.cpp splits text for many vocabularies with
// std::regex, which goes about 400 bytes of stack deeper with every character of a match. 30,000
// exclamation marks are enough to overflow the 8 MB of a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace cria {

// The longest stretch, in bytes, that a pre-tokenizer could take for one piece: letters, digits,
// white space or signs in a row. What is beyond ASCII and no space may be any of the others.
size_t longest_run(std::string_view text);

// How much more stack the same takes in a build under sanitizers (cmake/sanitizers.cmake).
#ifdef CRIA_SANITIZED
inline constexpr size_t kStackFactor = 8;
#else
inline constexpr size_t kStackFactor = 1;
#endif

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
// Throws ERR_OUT_OF_MEMORY where there is no such thread to be had.
void with_stack(size_t bytes, const std::function<void()>& work);

}  // namespace cria
