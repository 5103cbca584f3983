// Named tests in one program: TEST(name) { CHECK(…); CHECK_EQ(got, expected); } and, at the end,
// int main(int argc, char** argv) { return harness::run(argc, argv); }. Arguments pick tests by a
// part of their names. Exit status 1 if one fails.
#pragma once

#include <cstdio>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace harness {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
  const std::string_view path = file;
  const std::string name(path.substr(path.find_last_of("/\\") + 1));
  throw std::runtime_error(name + ":" + std::to_string(line) + ": " + message);
}

// Bytes that are not plain ASCII as \xNN, so that a failure can be read and pasted.
inline std::string show(std::string_view text) {
  std::string shown = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    char escaped[5];
    std::snprintf(escaped, sizeof escaped, "\\x%02X", byte);
    shown += byte >= 0x20 && byte < 0x7F ? std::string(1, character) : escaped;
  }
  return shown + "\"";
}

template <typename T>
std::string show_any(const T& value) {
  if constexpr (std::is_convertible_v<T, std::string_view>) {
    return show(value);
  } else {
    std::ostringstream out;
    out << value;
    return out.str();
  }
}

template <typename A, typename B>
void check_equal(const char* file, int line, const char* what, const A& got, const B& expected) {
  if (got == expected) return;
  fail(file, line, std::string(what) + " is " + show_any(got) + ", expected " + show_any(expected));
}

inline int run(int argc, char** argv) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : tests()) {
    bool chosen = argc <= 1;
    for (int i = 1; i < argc; ++i) {
      chosen = chosen || std::string_view(test.name).find(argv[i]) != std::string_view::npos;
    }
    if (!chosen) continue;
    try {
      test.body();
      ++passed;
    } catch (const std::exception& error) {
      ++failed;
      std::printf("FAILED %s\n  %s\n", test.name, error.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace harness

#define TEST(name)                                                     \
  static void name();                                                  \
  static const harness::Registration registration_##name(#name, name); \
  static void name()

#define CHECK(condition) \
  ((condition) ? void() : harness::fail(__FILE__, __LINE__, #condition " does not hold"))

#define CHECK_EQ(got, expected) harness::check_equal(__FILE__, __LINE__, #got, got, expected)
