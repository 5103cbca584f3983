// What wakes a lazy grammar: patterns looked for in the text generated so far. std::regex recurses
// with the length of a match and may take time cubic in it or worse; both are bounded here.
#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "deep_stack.h"

namespace cria {

class Trigger {
 public:
  // Throws ERR_INVALID_ARGUMENT for what is no regular expression.
  explicit Trigger(const std::vector<std::string>& patterns);

  // Where in `text` what follows the grammar begins: the first group of the first pattern found
  // that matched something, or the match. In its first `searched` bytes alone nothing was found
  // before. Throws ERR_DECODE_FAILED for a pattern that takes too long.
  std::optional<size_t> find(const std::string& text, size_t searched = 0) const;

  // Only so much of the end of the text is looked at, except for plain text. AddressSanitizer
  // cleans up no more than 64 MB of stack behind an exception: half of it there.
  static constexpr size_t kWindow = kStackFactor == 1 ? 16384 : 8192;

 private:
  // Plain text, with at most one group.
  struct Literal {
    std::string text;
    size_t group = 0;  // where what the group holds begins in it
  };
  struct Pattern {
    std::string source;
    std::regex regex;
    std::optional<Literal> literal;
    bool whole;     // ^…$: tried as a match of the whole text first, as llama.cpp does
    bool anchored;  // matches at the beginning of the text only
  };

  static std::optional<Literal> literal_of(const std::string& pattern);
  static std::optional<size_t> search(const Pattern& pattern, const std::string& text, size_t from);

  std::vector<Pattern> patterns_;
};

}  // namespace cria
