// What one generation asks for, as declared in lib/internal/native.ts and validated there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/adapters/adapter_set.h"
#include "core/media/media.h"
#include "core/model/vocabulary.h"
#include "core/request/outbox.h"
#include "core/sampling/reasoning_budget.h"
#include "core/sampling/sampler_step.h"

namespace cria {

using Clock = std::chrono::steady_clock;

// A part of a prompt: text, token ids, a picture or a sound.
using Segment = std::variant<std::string, Tokens, Media>;

struct Prompt {
  std::vector<Segment> segments;
  bool add_bos = false;

  bool has_media() const;
  // How much text there is to tokenize. Where there are media, as much as takes long.
  size_t bytes() const;
};

// How much of a prompt may come from the cache.
enum class Reuse {
  kNone,
  kExact,  // as much as leaves the result bit-exact: see Borders
  kAny,
};

// What a request and a command have in common.
struct Order {
  RequestId id = 0;
  // Set by the JS thread at any time, read by the context's threads.
  std::atomic<bool> cancelled{false};
};

// Milliseconds that nobody who reads notices.
inline constexpr double kUsualPause = 50;

struct Request : Order {
  Prompt prompt;
  AdapterSetPtr adapters = no_adapters();
  std::vector<SamplerStep> sampler;
  uint32_t seed = 0;
  int32_t max_tokens = -1;  // -1: until the context is full
  std::vector<std::string> stops;
  bool special = false;            // shows all control tokens as text
  std::vector<std::string> shown;  // the texts of those to show in any case
  std::optional<ReasoningLimit> reasoning;
  bool progress = false;
  int32_t logprobs = -1;  // how many of the likeliest tokens to report with each, -1: nothing
  Reuse reuse = Reuse::kAny;
  double max_pause = kUsualPause;  // see Task::max_pause()
  Clock::time_point submitted = Clock::now();
};

// The token ids of one segment: text, or checked ids.
Tokens tokenize(const Vocabulary& vocabulary, const Segment& segment);
// Throws for a prompt that has none.
void expect_tokens(const Tokens& tokens);

// The prompt's token ids. Throws if it is invalid, or has media.
Tokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt);

}  // namespace cria
