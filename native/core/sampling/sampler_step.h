// One step of a sampler, as declared in lib/internal/native.ts and validated there.
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
struct DynamicTemperature {
  float value;
  float range;
  float exponent;
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
struct TypicalP {
  float value;
  size_t min_keep;
};
struct TopNSigma {
  float value;
};
struct Xtc {
  float probability;
  float threshold;
  size_t min_keep;
};
struct Mirostat {
  int32_t version;  // 1 or 2
  float tau;
  float eta;
  int32_t candidates;  // from which version 1 estimates how the probabilities fall
};
struct AdaptiveP {
  float target;
  float decay;
};
struct Penalties {
  int32_t last_n;
  float repeat;
  float frequency;
  float presence;
};
struct Dry {
  float multiplier;
  float base;
  int32_t allowed_length;
  int32_t last_n;
  std::vector<std::string> breakers;
};
struct LogitBias {
  std::vector<llama_logit_bias> biases;
};
struct Infill {};
struct Grammar {
  std::string source;
  std::string root;
  // Lazy: everything is allowed until a trigger occurs in the output, one of these tokens or a
  // match of one of these patterns (std::regex in its ECMAScript notation). The text that follows
  // the grammar begins with the token, or with the pattern's first group that matched something
  // (with the match, if none did), even in the middle of a token.
  //
  // Tokens cost nothing, nor does plain text with at most one group, as <tool>(\{) with its signs
  // escaped. Any other pattern is searched for after each token. That takes time linear in the
  // output (of which the last 16 KiB count) if the pattern is anchored with ^ and repeats only
  // classes that do not overlap with what follows, as ^\s*(\{). A pattern that repeats a
  // repetition, or begins with one unanchored, takes far longer: past a bound the generation fails
  // with ERR_DECODE_FAILED. Nothing need follow the group.
  bool lazy = false;
  std::vector<llama_token> trigger_tokens;
  std::vector<std::string> trigger_patterns;
  // The text in front of the output with which the grammar begins; not for a lazy one.
  std::string prefix;
};
}  // namespace step

using SamplerStep =
    std::variant<step::Greedy, step::Dist, step::Temperature, step::DynamicTemperature, step::TopK,
                 step::TopP, step::MinP, step::TypicalP, step::TopNSigma, step::Xtc, step::Mirostat,
                 step::AdaptiveP, step::Penalties, step::Dry, step::LogitBias, step::Infill,
                 step::Grammar>;

}  // namespace cria
