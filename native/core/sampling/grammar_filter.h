// Constrained decoding: which tokens a grammar allows next, at once or from a trigger on.
#pragma once

#include <llama.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/grammar_matcher.h"
#include "core/sampling/sampler_step.h"
#include "core/sampling/token_set.h"
#include "core/sampling/trigger.h"

namespace cria {

// Belongs to one generation; one thread at a time.
class GrammarFilter {
 public:
  // Throws ERR_GRAMMAR_INVALID if the grammar cannot be followed, or the model lacks a token that
  // it names. lib/sampling/gbnf says more of what is wrong with one.
  GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar);

  // False for a lazy grammar until it is triggered: everything is allowed, and asking costs
  // nothing.
  bool awake() const { return !sleep_; }

  // Whether this token may come next.
  bool allows(llama_token token);

  // Sets the logits of tokens that may not come next to minus infinity.
  void filter(llama_token_data_array& candidates);

  // All tokens that may come next; nothing while the grammar sleeps.
  const TokenSet& mask();

  // The same as a list, rising; all of the vocabulary while the grammar sleeps.
  const Tokens& allowed();

  // What has to come, byte by byte, as far as the grammar leaves no choice but how to cut it into
  // tokens: as the tokenizer cuts it, up to `most` of them. Throws ERR_GRAMMAR_INVALID, and from
  // then on at once, if the grammar is too ambiguous to look ahead in.
  void forced(int32_t most, Tokens& tokens);

  // Goes on with a token, which must be allowed. Throws ERR_GRAMMAR_INVALID if the text that
  // triggered a lazy grammar does not follow it, or if the grammar has become too ambiguous to go
  // on with.
  void accept(llama_token token);

  // Nothing triggers a lazy grammar within thoughts: from the next token on, until answers() tells
  // that they are over. `behind`: how many bytes of the last tokens lie behind them. May throw as
  // accept().
  void thinks() { thinks_ = true; }
  void answers(size_t behind);

 private:
  // What was generated while a lazy grammar sleeps.
  struct Sleep {
    Trigger trigger;
    std::string text;
    Tokens generated;
    std::vector<size_t> ends;  // of each token, in `text`
    size_t answer = 0;         // where in `text` the thoughts end
  };

  GrammarMatcher begin() const;
  GrammarMatcher& matcher();
  void listen(llama_token token);
  void look(size_t searched);
  void wake(size_t start);
  void take(llama_token token, size_t from = 0);

  const Vocabulary& vocabulary_;
  std::vector<std::string> trigger_patterns_;
  Tokens trigger_tokens_;
  const std::shared_ptr<CompiledGrammar> grammar_;
  const std::string prefix_;
  // Made when the first token is chosen: a generation that waits for its turn does not keep what
  // the grammar has found out for others since.
  std::optional<GrammarMatcher> matcher_;
  std::optional<Sleep> sleep_;
  bool looks_ahead_ = true;
  bool thinks_ = false;

  // Reused.
  std::shared_ptr<const TokenSet> mask_;
  Tokens allowed_;
};

}  // namespace cria
