// Speculative decoding of one generation: which tokens are evaluated beside its next one because
// they are likely to follow. Each of them is then chosen as ever, from the logits behind the tokens
// before it, so the output is the same; where another one is chosen, the rest of the draft is
// dropped. One thread at a time.
#pragma once

#include <cstdint>

#include "core/model/vocabulary.h"
#include "core/speculation/drafter.h"
#include "core/speculation/ngram_index.h"

namespace cria {

struct DraftRule {
  int32_t most = 0;  // tokens of a draft; 0: none
  // What one more row takes in a batch of few, as a share of what the first one takes.
  double row_cost = 0;
  // What a grammar forces is not only guessed: nothing else is chosen.
  bool takes_forced = false;
  // Guesses in the place of n-grams. Null: none does.
  Drafter* drafter = nullptr;
};

class Speculation {
 public:
  // `prompt`: what the generation begins with.
  Speculation(const DraftRule& rule, const Tokens& prompt);
  Speculation(const Speculation&) = delete;
  Speculation& operator=(const Speculation&) = delete;

  const DraftRule& rule() const { return rule_; }

  // What may follow `tokens`, up to `room` tokens; empty where it would not pay. `forced`: what a
  // grammar leaves no choice about, but how it is cut into tokens. How long it is depends on the
  // text alone, not on measured times. Throws what Drafter does.
  const Tokens& draft(const Tokens& tokens, const Tokens& forced, int32_t room);

  // The text goes on with `token`, whether it was in a draft or not.
  void observe(llama_token token);

  // `count` tokens of a draft were evaluated, and so many of them were chosen.
  void count(int32_t proposed, int32_t accepted);
  int32_t proposed() const { return proposed_; }
  int32_t accepted() const { return accepted_; }

 private:
  // How likely the next token of a proposal is to come: a running mean.
  using Acceptance = double;

  int32_t worthwhile(Acceptance acceptance) const;
  void propose(const Tokens& tokens);
  void ask_drafter(const Tokens& tokens, int32_t room);
  void find_nearby(const Tokens& tokens);

  const DraftRule rule_;
  NgramIndex index_;
  Tokens proposal_;      // what was expected, whether it was evaluated or not
  size_t observed_ = 0;  // how much of it has come
  // Where the text is in what it repeats, as far as it does: a token that is not what stands there
  // is first taken for one in its place, until the next n-gram says more.
  int32_t source_ = NgramIndex::kNowhere;
  int32_t unmatched_ = 0;  // how often nothing matched since
  int32_t unasked_ = 0;    // how often it did not pay to ask the drafter
  Tokens draft_;
  Acceptance of_text_;
  Acceptance of_edited_;
  Acceptance of_drafter_;
  Acceptance of_forced_;
  Acceptance* acceptance_ = &of_text_;  // of proposal_
  int32_t proposed_ = 0;
  int32_t accepted_ = 0;
};

}  // namespace cria
