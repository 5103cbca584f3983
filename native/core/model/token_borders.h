// Where a text may be cut so that its pieces have, one after the other, the tokens of the whole. A
// border is where no token of the vocabulary goes across, and where the text's way of being split
// into words first (a regular expression for most vocabularies) neither sees the other side nor
// could have begun another word. So nothing is cut behind white space (`\s+(?!\S)`), and digits
// stay together (some count them from the end).
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

namespace cria {

class Vocabulary;

// The longest stretch, in bytes, that a pre-tokenizer could take for one piece: letters, digits,
// white space or signs in a row. What is beyond ASCII and no space may be any of the others.
size_t longest_run(std::string_view text);

class TokenBorders {
 public:
  explicit TokenBorders(const Vocabulary& vocabulary);

  // The first border from `from` on, or the text's length.
  size_t next(std::string_view text, size_t from) const;

  // Whether the tokens of a piece that goes on where another ended are those of "\n" and the piece,
  // without those of "\n": these vocabularies put a space in front of a text.
  bool behind_newline() const { return behind_newline_; }

 private:
  enum class Kind { kNone, kWords, kAll };

  bool is_border(std::string_view text, size_t at) const;
  bool joined(unsigned char before, unsigned char after) const {
    return joined_[before * size_t{256} + after];
  }

  std::bitset<256 * 256> joined_;  // bytes beside each other in some token
  Kind kind_ = Kind::kNone;
  bool behind_newline_ = false;
};

}  // namespace cria
