// The tokens that are written in the characters of one set, and where in the token tree others
// leave it. Inside a text nearly every token may come: known beforehand, they need not be walked.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/token_tree.h"
#include "core/sampling/token_set.h"
#include "core/sampling/utf8_automaton.h"

namespace cria {

// Immutable: any thread.
class TokenSlice {
 public:
  TokenSlice(const TokenTree& tree, int32_t vocabulary, const Utf8Automaton::Ranges& characters);

  static constexpr uint8_t kOutside = UINT8_MAX;

  // Behind a node: of how many of the characters its bytes are made, if they are whole ones.
  uint8_t characters_at(uint32_t node) const { return counts_[node]; }

  // Tokens of these characters alone, of which the last may be cut off.
  struct Token {
    uint32_t rank;  // in the tree's tokens()
    uint8_t characters;
  };
  const std::vector<Token>& tokens() const { return tokens_; }  // by rank
  const TokenSet& set() const { return set_; }
  // The most characters in a token, or in front of where the walk has to go on.
  uint8_t longest() const { return longest_; }
  // The set's tokens, those of few characters first, and how many have at most so many.
  const std::vector<llama_token>& by_length() const { return by_length_; }
  size_t shorter(uint8_t characters) const {
    return characters >= longest_ ? by_length_.size() : length_ends_[characters];
  }

  // A node whose byte no character of the set has here, or behind so many that the walk has to go
  // on.
  struct Border {
    uint32_t node;
    uint8_t characters;  // in front of the one that is begun
    uint8_t begun;       // how many bytes of it come before
    uint8_t bytes[3];
  };
  // Of each byte, those nodes, rising.
  const std::vector<Border>& borders(uint8_t byte) const { return borders_[byte]; }

  const Utf8Automaton& automaton() const { return automaton_; }
  Utf8Automaton::Node start() const { return start_; }

 private:
  Utf8Automaton automaton_;
  Utf8Automaton::Node start_;
  std::vector<uint8_t> counts_;
  std::vector<Token> tokens_;
  TokenSet set_;
  uint8_t longest_ = 0;
  std::vector<llama_token> by_length_;
  std::vector<size_t> length_ends_;
  std::vector<Border> borders_[256];
};

}  // namespace cria
