// What the programs here have in common: types that free what they hold, a clock, and a main()
// that is quiet but for the error it ends with.
#pragma once

#include <llama.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using ContextPtr = std::unique_ptr<llama_context, decltype(&llama_free)>;
using Clock = std::chrono::steady_clock;

// `run` gets the arguments without the program's name, and throws what it fails with.
template <typename Run>
int run_program(const char* name, int argc, char** argv, Run run) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  try {
    run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
  return 0;
}
