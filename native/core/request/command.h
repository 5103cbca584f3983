// What is asked of a context besides generations, as declared in lib/internal/native.ts and
// validated there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/request/request.h"
#include "core/sampling/sampler_step.h"

namespace cria {

using SequenceId = int32_t;

namespace command {
// The most rows of logits that one score asks for: so many counts (ROWS_MAX in
// lib/generation/choose.ts).
inline constexpr int32_t kMostRowsOfScore = 8;

// How likely tokens are behind the prompt, and behind beginnings of it that lack only some of its
// last tokens.
struct Score {
  Prompt prompt;
  Tokens candidates;
  // How many of the candidates belong behind each of the last so many tokens of the prompt; the
  // last number is of those behind all of it. Together they are all.
  std::vector<int32_t> counts;
  Reuse reuse = Reuse::kAny;
  AdapterSetPtr adapters = no_adapters();
};
// The embedding of a text.
struct Embed {
  std::string text;
  bool normalize = true;
};
// The score of a document for a query.
struct Rank {
  std::string query;
  std::string document;
};
struct Create {
  AdapterSetPtr adapters = no_adapters();
  std::optional<Prompt> cached = std::nullopt;  // what is cached of it stays for an Evaluate
};
struct Fork {
  SequenceId sequence;
};
struct Evaluate {
  SequenceId sequence;
  Prompt prompt;
};
struct Logits {
  SequenceId sequence;
};
struct Sample {
  SequenceId sequence;
  int32_t sampler;  // the id of a chain with these steps and this seed
  std::vector<SamplerStep> steps;
  uint32_t seed;
};
struct Trim {
  SequenceId sequence;
  int32_t length;
};
struct Save {
  SequenceId sequence;
  std::string path;
};
struct Restore {
  SequenceId sequence;
  std::string path;
  AdapterSetPtr adapters = no_adapters();  // the sequence's
};
struct Dispose {
  SequenceId sequence;
};
}  // namespace command

struct Command : Order {
  std::variant<command::Score, command::Embed, command::Rank, command::Create, command::Fork,
               command::Evaluate, command::Logits, command::Sample, command::Trim, command::Save,
               command::Restore, command::Dispose>
      what;
};

}  // namespace cria
