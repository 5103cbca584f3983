// What one generation asks for, as lib/native.ts has it, checked there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "outbox.h"
#include "sampler.h"
#include "vocabulary.h"

namespace cria {

using Clock = std::chrono::steady_clock;

struct Request {
  using Segment = std::variant<std::string, Tokens>;  // text, or ids as they are

  RequestId id = 0;
  std::vector<Segment> segments;
  bool add_bos = false;
  std::vector<SamplerStep> sampler;
  uint32_t seed = 0;
  int32_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stops;
  bool special = false;
  bool progress = false;
  Clock::time_point submitted = Clock::now();

  // Set by the JS thread at any time, read by the context's threads.
  std::atomic<bool> cancelled{false};
};

}  // namespace cria
