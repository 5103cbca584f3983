// What a fuzzer demands of its target besides not to crash.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace fuzz {

[[noreturn]] inline void broken(const char* property, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: %s does not hold\n", file, line, property);
  std::abort();
}

}  // namespace fuzz

#define DEMAND(condition) ((condition) ? void() : fuzz::broken(#condition, __FILE__, __LINE__))
