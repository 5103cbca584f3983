// From logits to a token. The steps of lib/sampling/sampler.ts are llama.cpp's own; they are
// applied to as few candidates as possible, but choose exactly the token that they would choose
// from all.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/grammar_filter.h"
#include "core/sampling/llama_step.h"
#include "core/sampling/logit_scan.h"
#include "core/sampling/recent_tokens.h"
#include "core/sampling/sampler_front.h"
#include "core/sampling/sampler_step.h"

namespace cria {

// Belongs to one generation; one thread at a time.
class Sampler {
 public:
  // If the last step selects no token, a greedy one follows. Throws ERR_GRAMMAR_INVALID for a
  // grammar that llama.cpp does not accept, ERR_INVALID_ARGUMENT and ERR_UNSUPPORTED for steps on
  // which it would abort or hang.
  Sampler(const Vocabulary& vocabulary, const std::vector<SamplerStep>& steps, uint32_t seed);

  // Goes on from the same state, independently.
  Sampler(const Sampler& other);
  Sampler& operator=(const Sampler&) = delete;

  // The text before the generation, for the steps that look back.
  void accept_prompt(const Tokens& prompt);

  // A token that somebody else chose, for the steps that look back, not for the grammar.
  void accept(llama_token token);

  // Chooses a token and remembers it. `logits`: one for each token of the vocabulary. Throws
  // ERR_DECODE_FAILED if there is nothing to choose from.
  llama_token sample(const float* logits);

  // What the grammar leaves no choice about, up to `most` tokens; see GrammarFilter.
  void forced(int32_t most, Tokens& tokens);

  // A token that has to come, as if it had been chosen. False if the grammar does not allow it.
  bool take(llama_token token);

  // Within thoughts a lazy grammar sleeps; see GrammarFilter.
  void thinks();
  void answers(size_t behind);

 private:
  struct Link {
    enum class Kind { kPlain, kLooksBack, kAdaptive, kGrammar };
    Kind kind;
    LlamaSampler step;  // none for the grammar
  };
  // How often an adaptive-p step has drawn a random number: llama.cpp's clone of it starts over.
  struct Draws {
    uint64_t of_one = 0;
    uint64_t of_many = 0;
  };

  void add(const SamplerStep& step, uint32_t seed);
  void remember(llama_token token);
  llama_token choose(const float* logits);
  bool shortlist(const float* logits);
  bool list(const float* logits, int32_t count);
  void list_allowed(const float* logits);
  void apply_front();
  bool holds_all_kept(float border) const;
  bool keep();
  bool keep_top_k();
  bool keep_min_p();
  llama_token run(llama_token_data_array array, size_t from);
  void filter(llama_token_data_array& array);

  const Vocabulary& vocabulary_;
  const SamplerFront front_;
  std::vector<Link> links_;
  std::optional<GrammarFilter> grammar_;
  size_t looks_back_ = 0;  // at how many tokens at most
  bool infills_ = false;
  RecentTokens recent_;
  Draws draws_;

  // Reused.
  LogitScan scan_;
  Tokens changed_;
  std::vector<llama_token_data> candidates_;
};

}  // namespace cria
