#include "core/embedding/embedding_input.h"

#include "core/model/control_texts.h"

namespace cria {

namespace {

constexpr std::string_view kQuery = "{query}";
constexpr std::string_view kDocument = "{document}";

// In one pass, so that a query that spells a placeholder stays text.
std::string substitute(std::string_view piece, const std::string& query,
                       const std::string& document) {
  std::string filled;
  while (!piece.empty()) {
    if (piece.substr(0, kQuery.size()) == kQuery) {
      filled += query;
      piece.remove_prefix(kQuery.size());
    } else if (piece.substr(0, kDocument.size()) == kDocument) {
      filled += document;
      piece.remove_prefix(kDocument.size());
    } else {
      filled += piece.front();
      piece.remove_prefix(1);
    }
  }
  return filled;
}

// Collects tokens, and leaves out those that the vocabulary does not have.
class Sentence {
 public:
  explicit Sentence(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {}

  void add(llama_token token) {
    if (vocabulary_.contains(token)) tokens_.push_back(token);
  }
  void add(const std::string& text) {
    const Tokens more = vocabulary_.tokenize(text, /*special=*/false);
    tokens_.insert(tokens_.end(), more.begin(), more.end());
  }
  Tokens take() { return std::move(tokens_); }

 private:
  const Vocabulary& vocabulary_;
  Tokens tokens_;
};

}  // namespace

Tokens tokenize_framed(const Vocabulary& vocabulary, const std::string& text) {
  const llama_vocab* vocab = vocabulary.handle();
  const enum llama_vocab_type type = llama_vocab_type(vocab);
  // As llama_tokenize does it: WordPiece always has them, RWKV never.
  const bool word_piece = type == LLAMA_VOCAB_TYPE_WPM;
  const bool bare = type == LLAMA_VOCAB_TYPE_RWKV;
  Sentence sentence(vocabulary);
  if (word_piece || (!bare && llama_vocab_get_add_bos(vocab))) sentence.add(vocabulary.bos());
  sentence.add(text);
  if (word_piece) {
    sentence.add(llama_vocab_sep(vocab));
  } else if (!bare && llama_vocab_get_add_eos(vocab)) {
    sentence.add(vocabulary.eos());
  }
  return sentence.take();
}

PairFormat::PairFormat(const Model& model) : vocabulary_(model.vocabulary()) {
  const char* source = llama_model_chat_template(model.handle(), "rerank");
  if (source != nullptr) read(source);
}

Tokens PairFormat::tokenize(const std::string& query, const std::string& document) const {
  return pieces_.empty() ? separate(query, document) : fill(query, document);
}

void PairFormat::read(const std::string& source) {
  const ControlTexts controls(vocabulary_, source);
  std::string text;
  const auto end_text = [&] {
    if (!text.empty()) pieces_.emplace_back(std::move(text));
    text.clear();
  };
  for (size_t at = 0; at < source.size();) {
    const std::vector<const ControlText*> found = controls.at(source, at);
    if (found.empty()) {
      text += source[at++];
    } else {
      end_text();
      pieces_.emplace_back(found.front()->token);
      at += found.front()->text.size();
    }
  }
  end_text();
}

// The texts are filled in before tokenizing: words may merge across their borders.
Tokens PairFormat::fill(const std::string& query, const std::string& document) const {
  Sentence sentence(vocabulary_);
  for (const Piece& piece : pieces_) {
    if (const auto* token = std::get_if<llama_token>(&piece)) {
      sentence.add(*token);
    } else {
      sentence.add(substitute(std::get<std::string>(piece), query, document));
    }
  }
  return sentence.take();
}

Tokens PairFormat::separate(const std::string& query, const std::string& document) const {
  const llama_vocab* vocab = vocabulary_.handle();
  const bool ends = llama_vocab_get_add_eos(vocab);
  const llama_token sep = llama_vocab_sep(vocab);
  const llama_token eos = vocabulary_.eos() == LLAMA_TOKEN_NULL ? sep : vocabulary_.eos();
  Sentence sentence(vocabulary_);
  if (llama_vocab_get_add_bos(vocab)) sentence.add(vocabulary_.bos());
  sentence.add(query);
  if (ends) sentence.add(eos);
  if (llama_vocab_get_add_sep(vocab)) sentence.add(sep);
  sentence.add(document);
  if (ends) sentence.add(eos);
  return sentence.take();
}

}  // namespace cria
