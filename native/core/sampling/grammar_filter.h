// Constrained decoding: which tokens a grammar allows next. The grammar is llama.cpp's, and is
// asked about as few candidates as possible, since each costs it a walk through the rules.
#pragma once

#include <llama.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/llama_step.h"
#include "core/sampling/sampler_step.h"
#include "core/sampling/trigger.h"

namespace cria {

class TokenTree;

// Belongs to one generation; one thread at a time.
class GrammarFilter {
 public:
  // Throws ERR_GRAMMAR_INVALID if llama.cpp does not accept the grammar, or the model lacks a token
  // that it names. Grammars come validated from lib/sampling/gbnf: llama.cpp would not survive some
  // others.
  GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar);
  GrammarFilter(const GrammarFilter& other);

  // False for a lazy grammar until it is triggered: everything is allowed, and asking costs
  // nothing.
  bool awake() const { return awake_; }

  // Whether this token may come next.
  bool allows(llama_token token);

  // Sets the logits of tokens that may not come next to minus infinity.
  void filter(llama_token_data_array& candidates);

  // All tokens that may come next, rising. Cheap if they are few; if nearly all may come, little
  // cheaper than filter() over the whole vocabulary.
  const Tokens& allowed();

  // Goes on with a token, which must be allowed. Throws ERR_GRAMMAR_INVALID if the text that
  // triggered a lazy grammar does not follow it, or if the grammar has become too ambiguous to go
  // on with.
  void accept(llama_token token);

 private:
  void accept_prefix();
  void accept_of_prefix(llama_token token);
  std::pair<llama_token, size_t> longest_at_start(const std::string& text) const;

  // What was generated while a lazy grammar sleeps.
  struct Sleep {
    Trigger trigger;
    std::string text;
    Tokens generated;
    std::vector<size_t> ends;  // of each token, in `text`
  };

  LlamaSampler make(const char* pattern) const;
  void listen(llama_token token);
  void wake(size_t start);
  void take(llama_token token);
  void ask(const Tokens& tokens);
  void walk();
  void walk_from_ends();
  bool put_question(uint32_t place);
  void keep(uint32_t place);
  void answer();
  bool is_named(llama_token token) const;
  bool is_text(llama_token token);
  void sort_allowed();

  const Vocabulary& vocabulary_;
  step::Grammar grammar_;
  LlamaSampler sampler_;
  bool awake_ = true;
  std::optional<Sleep> sleep_;
  int remaining_ = 0;  // the missing bytes of a character that the last tokens began
  std::string open_;   // the bytes of that character so far
  Tokens named_;       // the tokens that the grammar names by text or id, rising
  bool excludes_beyond_ascii_ = false;

  // Reused.
  Tokens allowed_;
  std::vector<llama_token_data> asked_;
  std::vector<uint32_t> level_;  // nodes, each represented in asked_ by one of its tokens
  std::vector<uint32_t> below_;  // nodes
  std::vector<uint8_t> marks_;   // by node, or by token
  std::string bytes_;
};

}  // namespace cria
