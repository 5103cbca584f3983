// The patterns that trigger a lazy grammar, searched for in the text generated so far. std::regex
// recurses with the length of a match and may take cubic time or worse; both are bounded here.
#pragma once

#include <cstddef>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "core/model/sanitized.h"

namespace cria {

class Trigger {
 public:
  // Throws ERR_INVALID_ARGUMENT for an invalid regular expression.
  explicit Trigger(const std::vector<std::string>& patterns);

  // Where in `text` the part begins that follows the grammar: at the first group that matched
  // something of the first pattern that was found, or at the match. The first `searched` bytes were
  // searched before, without success. Nothing is found before `begin`, where ^ matches, too. Throws
  // ERR_DECODE_FAILED for a pattern that takes too long.
  std::optional<size_t> find(const std::string& text, size_t searched = 0, size_t begin = 0) const;

  // Only the last so many bytes of the text are searched, except for plain text. AddressSanitizer
  // cleans up no more than 64 MB of stack behind an exception: half of it there.
  static constexpr size_t kWindow = kSanitizedFactor == 1 ? 16384 : 8192;

 private:
  // Plain text, with at most one group.
  struct Literal {
    std::string text;
    size_t group = 0;  // where in `text` the group begins
  };
  struct Pattern {
    std::string source;
    std::regex regex;
    std::optional<Literal> literal;
    bool whole;     // ^…$: first tried as a match of the whole text, as llama.cpp does
    bool anchored;  // matches only at the beginning of the text
  };

  static bool is_anchored(const std::string& pattern);
  static std::optional<Literal> literal_of(const std::string& pattern);
  // `begins`: ^ matches there. `stack`: how many bytes of it may be taken.
  static std::optional<size_t> search(const Pattern& pattern, const std::string& text, size_t from,
                                      bool begins, size_t stack);

  std::vector<Pattern> patterns_;
};

}  // namespace cria
