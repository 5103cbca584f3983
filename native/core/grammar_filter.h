// Which tokens a grammar allows next: llama.cpp's grammar, asked about as few candidates as can be,
// since each of 128K costs it a walk through its rules.
#pragma once

#include <llama.h>

#include <memory>

#include "sampler_step.h"
#include "vocabulary.h"

namespace cria {

// The state of one generation; one thread at a time.
class GrammarFilter {
 public:
  // Throws ERR_GRAMMAR_INVALID where llama.cpp does not take the grammar, or the model lacks a
  // token that it names.
  GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar);
  GrammarFilter(const GrammarFilter& other);

  // Whether this token may come next.
  bool allows(llama_token token);

  // Takes away what may not come next: its logit becomes minus infinity.
  void filter(llama_token_data_array& candidates);

  // All tokens that may come next, rising.
  const Tokens& allowed();

  // Goes on; the token must be allowed.
  void accept(llama_token token);

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };

  const Vocabulary& vocabulary_;
  std::unique_ptr<llama_sampler, Free> grammar_;
  Tokens allowed_;  // reused
};

}  // namespace cria
