// The half of grammar_filter.h that takes what stands in front of the output.
#include <string>
#include <utility>

#include "core/model/error.h"
#include "core/sampling/grammar_filter.h"

namespace cria {

void GrammarFilter::accept_prefix() {
  const std::string& prefix = grammar_.prefix;
  size_t at = 0;
  for (const llama_token token : vocabulary_.tokenize(prefix, /*special=*/true)) {
    std::string piece;
    vocabulary_.append_piece(token, /*special=*/true, piece);
    if (piece.empty()) continue;
    // Some tokenizers put a space in front of each text, or into its first token.
    const bool spaced = piece.front() == ' ' && prefix.compare(at, piece.size(), piece) != 0;
    if (spaced) piece.erase(0, 1);
    at += piece.size();
    if (!spaced) {
      accept_of_prefix(token);
      continue;
    }
    while (!piece.empty()) {
      const auto [part, length] = longest_at_start(piece);
      accept_of_prefix(part);
      piece.erase(0, length);
    }
  }
}

void GrammarFilter::accept_of_prefix(llama_token token) {
  if (token < 0 || !allows(token)) {
    throw Error(code::kGrammarInvalid,
                "The grammar does not begin with what stands in front of the output: \"" +
                    grammar_.prefix + "\".");
  }
  accept(token);
}

// Of the tokens that `text` begins with; -1 where there is none.
std::pair<llama_token, size_t> GrammarFilter::longest_at_start(const std::string& text) const {
  std::pair<llama_token, size_t> longest{-1, 1};
  std::string piece;
  for (llama_token token = 0; token < vocabulary_.size(); ++token) {
    piece.clear();
    vocabulary_.append_piece(token, /*special=*/false, piece);
    const bool begins = !piece.empty() && text.compare(0, piece.size(), piece) == 0;
    if (begins && (longest.first < 0 || piece.size() > longest.second)) {
      longest = {token, piece.size()};
    }
  }
  return longest;
}

}  // namespace cria
