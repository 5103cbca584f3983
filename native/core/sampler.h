// From logits to a token: the steps of lib/sampler.ts as a llama.cpp sampler chain, with a grammar
// and the greedy choice outside of it, where they cost less.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "grammar_filter.h"
#include "sampler_step.h"
#include "vocabulary.h"

namespace cria {

// The state of one generation; one thread at a time.
class Sampler {
 public:
  // Throws ERR_GRAMMAR_INVALID where llama.cpp does not take a grammar.
  Sampler(const Vocabulary& vocabulary, const std::vector<SamplerStep>& steps, uint32_t seed);

  Sampler(const Sampler& other);

  // A token that somebody else chose, for the steps that look back.
  void accept(llama_token token);

  // What stands before the generation, for the steps that look back.
  void accept_prompt(const Tokens& prompt);

  // Chooses a token and remembers it. `logits` has one for each token of the vocabulary. Throws
  // ERR_DECODE_FAILED where there is nothing to choose from.
  llama_token sample(const float* logits);

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };
  using Handle = std::unique_ptr<llama_sampler, Free>;

  void add(const SamplerStep& step, uint32_t seed);
  llama_token choose(const float* logits, bool constrained);
  llama_token choose_from_candidates(const float* logits, bool constrained);

  const Vocabulary& vocabulary_;
  Handle chain_;
  std::optional<GrammarFilter> grammar_;
  bool greedy_ = true;  // the chain holds nothing that could change the most likely token
  bool looks_back_ = false;
  std::vector<llama_token_data> candidates_;  // reused: 1.5 MB with 128K tokens
};

// The most likely token, the first of equals; LLAMA_TOKEN_NULL where no logit is a number above
// minus infinity.
llama_token argmax(const float* logits, int32_t count);

}  // namespace cria
