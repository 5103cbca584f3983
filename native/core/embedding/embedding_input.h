// The tokens that a model wants to see of a text, or of a query and a document, to make a vector or
// a score of them. Text stays text: nothing in it becomes a control token.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/model/model.h"
#include "core/model/vocabulary.h"

namespace cria {

// Framed as the vocabulary wants it: [CLS] text [SEP], or BOS and EOS where they are asked for.
Tokens tokenize_framed(const Vocabulary& vocabulary, const std::string& text);

// How a model that ranks wants a pair: by the template in its file, or with separators.
class PairFormat {
 public:
  explicit PairFormat(const Model& model);

  Tokens tokenize(const std::string& query, const std::string& document) const;

 private:
  // Of the template: its control tokens, and the text between them with its place holders.
  using Piece = std::variant<llama_token, std::string>;

  void read(const std::string& source);
  Tokens fill(const std::string& query, const std::string& document) const;
  Tokens separate(const std::string& query, const std::string& document) const;

  const Vocabulary& vocabulary_;
  std::vector<Piece> pieces_;  // none: there is no template
};

}  // namespace cria
