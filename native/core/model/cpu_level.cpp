#include "core/model/cpu_level.h"

#include <cstdlib>
#include <string>

#include "core/model/error.h"

#if defined(_MSC_VER)
#include <windows.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

// In a build of several levels CRIA_CPU_LEVELS(use) is use(NAME) for each, the highest first
// (cmake/cpu-levels.cmake).
#ifdef CRIA_CPU_LEVELS
#define CRIA_DECLARE(level) extern const cria::CpuLevel level##_cria_cpu_level;
extern "C" {
CRIA_CPU_LEVELS(CRIA_DECLARE)
}
#undef CRIA_DECLARE
#else
extern "C" const cria::CpuLevel cria_cpu_level;
#endif

namespace cria {

namespace {

// One function per level: whether this CPU has all that the level is compiled for. The compilers'
// own functions also ask whether the system saves the registers.

#if defined(_MSC_VER) && defined(_M_X64)  // mingw-w64 defines the second one, too

// The rest of the level came with the same processors.
[[maybe_unused]] bool has_avx2() { return IsProcessorFeaturePresent(40) != 0; }

#elif defined(__x86_64__)

bool has_f16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1U << 29)) != 0;
}

[[maybe_unused]] bool has_sse42() { return __builtin_cpu_supports("sse4.2") != 0; }

[[maybe_unused]] bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi2") && has_f16c();
}

[[maybe_unused]] bool has_avx512vnni() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
}

[[maybe_unused]] bool has_avx512bf16() {
  return has_avx512vnni() && __builtin_cpu_supports("avx512bf16");
}

#elif defined(__aarch64__) && defined(__linux__)

// Linux's numbers, which older headers lack.
constexpr unsigned long kDotProduct = 1UL << 20;     // HWCAP_ASIMDDP
constexpr unsigned long kMatrixProduct = 1UL << 13;  // HWCAP2_I8MM

[[maybe_unused]] bool has_armv8() { return true; }
[[maybe_unused]] bool has_dotprod() { return (getauxval(AT_HWCAP) & kDotProduct) != 0; }
[[maybe_unused]] bool has_i8mm() {
  return has_dotprod() && (getauxval(AT_HWCAP2) & kMatrixProduct) != 0;
}

#endif

// Of a build with one level: "native", or what CMakeLists.txt lets prebuilds have without levels.
[[maybe_unused]] bool has_only_level() {
#if !defined(CRIA_NATIVE) && (defined(__x86_64__) || defined(_M_X64))
  return has_avx2();
#else
  return true;
#endif
}

struct Choice {
  const CpuLevel* level;
  bool (*supported)();
};

#ifdef CRIA_CPU_LEVELS
#define CRIA_CHOICE(level) {&level##_cria_cpu_level, has_##level},
const Choice kChoices[] = {CRIA_CPU_LEVELS(CRIA_CHOICE)};
#undef CRIA_CHOICE
#else
const Choice kChoices[] = {{&cria_cpu_level, has_only_level}};
#endif

std::string names(bool all) {
  std::string text;
  for (const Choice& choice : kChoices) {
    if (!all && !choice.supported()) continue;
    text += (text.empty() ? "" : ", ") + std::string(choice.level->name);
  }
  return text;
}

const CpuLevel& named(const std::string& name) {
  for (const Choice& choice : kChoices) {
    if (name != choice.level->name) continue;
    if (choice.supported()) return *choice.level;
    throw Error(code::kUnsupportedCpu, "CRIA_CPU_LEVEL (environment variable) is " + name +
                                           ", which this CPU lacks. It has " + names(false));
  }
  throw Error(
      code::kInvalidArgument,
      "Expected one of " + names(true) + " for CRIA_CPU_LEVEL (environment variable), got " + name);
}

const CpuLevel& highest() {
  for (const Choice& choice : kChoices) {
    if (choice.supported()) return *choice.level;
  }
  throw Error(code::kUnsupportedCpu,
              "This CPU is older than any that this engine was compiled for (" + names(true) +
                  "). Build one for this machine (a C++17 compiler, CMake and git are needed):\n"
                  "  npm explore cria -- npm run build:native");
}

}  // namespace

const CpuLevel& cpu_level() {
  static const CpuLevel& level = []() -> const CpuLevel& {
    const char* name = std::getenv("CRIA_CPU_LEVEL");
    return name == nullptr || *name == '\0' ? highest() : named(name);
  }();
  return level;
}

}  // namespace cria

#ifdef CRIA_CPU_LEVELS
// What ggml's registry calls: each level has it under another name.
extern "C" ggml_backend_reg_t ggml_backend_cpu_reg() { return cria::cpu_level().registry(); }
#endif
