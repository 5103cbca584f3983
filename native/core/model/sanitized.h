// What is other in a build under sanitizers (cmake/sanitizers.cmake).
#pragma once

#include <cstddef>

namespace cria {

// How much more stack and processor time the same takes there.
#ifdef CRIA_SANITIZED
inline constexpr size_t kSanitizedFactor = 8;
#else
inline constexpr size_t kSanitizedFactor = 1;
#endif

}  // namespace cria
