// The tokens of a text, or of a query and a document, in the form that a model expects. Text stays
// text: nothing in it becomes a control token.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/model/model.h"
#include "core/model/vocabulary.h"

namespace cria {

// Framed as the vocabulary says: [CLS] text [SEP], or with BOS and EOS.
Tokens tokenize_framed(const Vocabulary& vocabulary, const std::string& text);

// How a model that ranks expects a pair: by the template in its file, or with separators.
class PairFormat {
 public:
  explicit PairFormat(const Model& model);

  Tokens tokenize(const std::string& query, const std::string& document) const;

 private:
  // A part of the template: a control token, or text with placeholders.
  using Piece = std::variant<llama_token, std::string>;

  void read(const std::string& source);
  Tokens fill(const std::string& query, const std::string& document) const;
  Tokens separate(const std::string& query, const std::string& document) const;

  const Vocabulary& vocabulary_;
  std::vector<Piece> pieces_;  // empty without a template
};

}  // namespace cria
