// Where a text may be cut so that the tokens of its pieces, one after the other, are those of the
// whole. No token of the vocabulary reaches across a border, and the pre-tokenizer, which splits
// text into words first (by a regular expression in most vocabularies), neither looks across it nor
// could have joined what lies on both sides. So nothing is cut after white space (`\s+(?!\S)`), and
// digits stay together (some vocabularies count them from the end).
#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

namespace cria {

class Vocabulary;

// The length in bytes of the longest stretch that a pre-tokenizer could take for one piece:
// letters, digits, white space or signs in a row. A character beyond ASCII that is no space may
// count as any of the others.
size_t longest_run(std::string_view text);

class TokenBorders {
 public:
  explicit TokenBorders(const Vocabulary& vocabulary);

  // The first border at or after `from`, or the text's length.
  size_t next(std::string_view text, size_t from) const;

  // Whether a later piece has to be tokenized after a "\n", whose tokens are then removed: these
  // vocabularies put a space in front of every text.
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
