// Where a text stands in a grammar, and which tokens may come next.
#pragma once

#include <llama.h>

#include <memory>
#include <optional>
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

  // The bytes that have to come next, up to `most`: where more than one may come, or the text may
  // end, there are no more. Of a grammar that names no tokens. One call, with one limit of work.
  std::string forced(size_t most);

 private:
  using State = GrammarStates::State;
  using Item = GrammarStates::Item;
  using TokenStep = LocalStates::TokenStep;

  TokenMasks& masks();
  std::optional<char> only_byte(State state);
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
