// What one generation asks for, as lib/internal/native.ts has it, checked there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/request/outbox.h"
#include "core/sampling/sampler_step.h"

namespace cria {

using Clock = std::chrono::steady_clock;

// What a prompt is made of: text, or ids as they are.
using Segment = std::variant<std::string, Tokens>;

struct Prompt {
  std::vector<Segment> segments;
  bool add_bos = false;

  // Of text.
  size_t bytes() const;
};

// What a prompt may take over of what others left in the cache.
enum class Reuse {
  kNone,
  kExact,  // as much as leaves the result the same to the last bit: see exact_prefix()
  kAny,
};

// What a request and a command have in common.
struct Order {
  RequestId id = 0;
  // Set by the JS thread at any time, read by the context's threads.
  std::atomic<bool> cancelled{false};
};

struct Request : Order {
  Prompt prompt;
  std::vector<SamplerStep> sampler;
  uint32_t seed = 0;
  int32_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stops;
  bool special = false;
  bool progress = false;
  int32_t logprobs = -1;  // likeliest tokens to tell with each, -1: nothing
  Reuse reuse = Reuse::kAny;
  Clock::time_point submitted = Clock::now();
};

// Its ids. Throws what is wrong with it.
Tokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt);

}  // namespace cria
