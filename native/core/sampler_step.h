// One step of a sampler, as lib/native.ts has it, checked there.
#pragma once

#include <llama.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace cria {

namespace step {
struct Greedy {};
struct Dist {};
struct Temperature {
  float value;
};
struct TopK {
  int32_t value;
};
struct TopP {
  float value;
  size_t min_keep;
};
struct MinP {
  float value;
  size_t min_keep;
};
struct Penalties {
  int32_t last_n;
  float repeat;
  float frequency;
  float presence;
};
struct LogitBias {
  std::vector<llama_logit_bias> biases;
};
struct Grammar {
  std::string source;
  std::string root;
  std::vector<std::string> tokens;  // what the source names as <text>
  // Lazy: everything is allowed until a trigger is met, one of these tokens or a match of one of
  // these patterns (each over the whole output so far, from its start).
  bool lazy = false;
  std::vector<llama_token> trigger_tokens;
  std::vector<std::string> trigger_patterns;
};
}  // namespace step

using SamplerStep =
    std::variant<step::Greedy, step::Dist, step::Temperature, step::TopK, step::TopP, step::MinP,
                 step::Penalties, step::LogitBias, step::Grammar>;

}  // namespace cria
