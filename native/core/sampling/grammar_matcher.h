// Where a text stands in a grammar, and which tokens may come next.
#pragma once

#include <llama.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/sampling/compiled_grammar.h"
#include "core/sampling/token_set.h"

namespace cria {

// Belongs to one generation; one thread at a time. A copy costs little.
class GrammarMatcher {
 public:
  // Throws ERR_GRAMMAR_INVALID.
  explicit GrammarMatcher(std::shared_ptr<CompiledGrammar> grammar);

  // The tokens that may come next. Throws ERR_GRAMMAR_INVALID if the grammar is too ambiguous to go
  // on with, as all that follows does.
  std::shared_ptr<const TokenSet> mask();
  bool allows(llama_token token);
  // Whether the text may end here.
  bool ends();

  // Goes on with a token, or with some of its bytes; with LLAMA_TOKEN_NULL, with bytes that no
  // token need have. False, and as before, if the grammar does not allow it.
  bool accept(llama_token token, std::string_view bytes);

  bool names_tokens() const { return grammar_->names_tokens(); }

 private:
  using State = GrammarStates::State;
  using Item = GrammarStates::Item;
  using TokenStep = LocalStates::TokenStep;

  TokenMasks& masks();
  State behind(llama_token token, std::string_view bytes);
  State behind_step(const TokenStep& step, Item item, std::string_view bytes);
  State behind_cut(const TokenStep& step, Item item);
  void add_tokens(TokenSet& set);

  std::shared_ptr<CompiledGrammar> grammar_;
  std::shared_ptr<TokenMasks> masks_;
  State state_ = GrammarStates::kDead;
  std::string open_;  // the bytes so far of a character that the last tokens began
};

}  // namespace cria
