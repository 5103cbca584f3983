// Which tokens a grammar allows next: llama.cpp's grammar, asked about as few candidates as can be,
// since each of 128K costs it a walk through its rules.
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

// The state of one generation; one thread at a time.
class GrammarFilter {
 public:
  // Throws ERR_GRAMMAR_INVALID where llama.cpp does not take the grammar, or the model lacks a
  // token that it names.
  GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar);
  GrammarFilter(const GrammarFilter& other);

  // False for a lazy grammar as long as no trigger was met: everything is allowed, and asking costs
  // nothing.
  bool awake() const { return awake_; }

  // Whether this token may come next.
  bool allows(llama_token token);

  // Takes away what may not come next: its logit becomes minus infinity.
  void filter(llama_token_data_array& candidates);

  // All tokens that may come next, rising. Cheap where they are few; where nearly all may, it costs
  // little less than filter() over all of them.
  const Tokens& allowed();

  // Goes on; the token must be allowed. Throws ERR_GRAMMAR_INVALID where the text that woke a lazy
  // grammar does not follow it, or where the grammar has become too ambiguous to go on with.
  void accept(llama_token token);

 private:
  void accept_prefix();
  void accept_of_prefix(llama_token token);
  std::pair<llama_token, size_t> longest_at_start(const std::string& text) const;

  // A lazy grammar's text, as long as it sleeps.
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
  int remaining_ = 0;  // bytes of a character that the tokens so far left open
  Tokens named_;       // that the grammar names by text or id, rising
  std::string open_;   // the bytes of that character that are there
  bool excludes_beyond_ascii_ = false;

  // Reused.
  Tokens allowed_;
  std::vector<llama_token_data> asked_;
  std::vector<uint32_t> level_;  // nodes, each asked about by one of its tokens
  std::vector<uint32_t> below_;  // nodes
  std::vector<uint8_t> marks_;   // by node, or by token
  std::string bytes_;
};

}  // namespace cria
