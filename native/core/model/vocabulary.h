// The tokenizer of a loaded model. Any thread may call any function while the model lives. Ids are
// checked, since llama.cpp throws or crashes if they are out of range.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cria {

using Tokens = std::vector<llama_token>;

class TokenBorders;
class TokenTree;

class Vocabulary {
 public:
  explicit Vocabulary(const llama_vocab* vocab);

  const llama_vocab* handle() const { return vocab_; }
  // Unique in this process, even among vocabularies that no longer exist.
  uint64_t id() const { return id_; }
  int32_t size() const { return size_; }
  bool contains(llama_token token) const { return token >= 0 && token < size_; }
  // Throws ERR_INVALID_ARGUMENT for an id that the vocabulary does not have.
  void check(llama_token token) const;

  // The ids a model may have; LLAMA_TOKEN_NULL for none.
  llama_token bos() const { return llama_vocab_bos(vocab_); }
  llama_token eos() const { return llama_vocab_eos(vocab_); }
  llama_token eot() const { return llama_vocab_eot(vocab_); }
  llama_token eom() const { return eom_; }

  // `special`: text that spells a control token becomes that token. A long text is tokenized piece
  // by piece, and the thread's TokenWatch is asked in between: if it says no, the result is
  // incomplete, but never empty.
  Tokens tokenize(std::string_view text, bool special) const;

  // The owner is kept alive while a text is tokenized that nobody waits for any more. Without one,
  // tokenize() waits for every text.
  void belong_to(std::weak_ptr<const void> owner) const { owner_ = std::move(owner); }

  // The text of a sequence of tokens, made valid UTF-8. `special`: control tokens are written by
  // name, not left out.
  std::string detokenize(const Tokens& tokens, bool special) const;

  // Appends the bytes of one token; they need not be whole characters.
  void append_piece(llama_token token, bool special, std::string& bytes) const;

  // The control or user-defined token with exactly this text, or LLAMA_TOKEN_NULL.
  llama_token by_text(const std::string& text) const;

  // All control, user-defined and unknown tokens by their texts.
  const std::unordered_map<std::string, llama_token>& named() const { return named_; }

  bool ends_generation(llama_token token) const;

  // Made on the first call, which takes some 100 ms with 128K tokens.
  const TokenTree& tree() const;

  // What somebody makes of the vocabulary, on the first call, for as long as it lives.
  class Kept {
   public:
    Kept() = default;
    Kept(const Kept&) = delete;
    Kept& operator=(const Kept&) = delete;
    virtual ~Kept() = default;
  };
  Kept& kept(std::unique_ptr<Kept> (*make)(const Vocabulary&)) const;

 private:
  const TokenBorders& borders() const;

  const llama_vocab* vocab_;
  uint64_t id_;
  int32_t size_;
  std::unordered_map<std::string, llama_token> named_;
  llama_token eom_;
  mutable std::weak_ptr<const void> owner_;
  mutable std::once_flag borders_made_;
  mutable std::shared_ptr<const TokenBorders> borders_;
  mutable std::once_flag tree_made_;
  mutable std::shared_ptr<const TokenTree> tree_;
  mutable std::once_flag kept_made_;
  mutable std::unique_ptr<Kept> kept_;
};

}  // namespace cria
