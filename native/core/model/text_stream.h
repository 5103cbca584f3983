// From the bytes of tokens to text that may be shown: whole UTF-8 characters only, and nothing that
// is, or may yet become, a stop string.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

class TextStream {
 public:
  // Stop strings are valid, non-empty UTF-8.
  explicit TextStream(std::vector<std::string> stops);

  // Takes the bytes of the next token and returns what is now certain. Bytes that can be no UTF-8
  // come out as U+FFFD. After a stop string was met there is nothing more: what stood before it
  // was returned, it and what followed are dropped.
  std::string push(std::string_view bytes);

  // The end of the text: what was held back, an unfinished character as U+FFFD.
  std::string finish();

  // The stop string that was met: of all that occur, the one that ends first (the longest of
  // those that end together).
  const std::optional<std::string>& stopped_by() const { return stopped_by_; }

 private:
  struct Match {
    size_t begin;
    const std::string* stop;
  };

  std::optional<Match> find_stop(size_t fresh) const;
  size_t held_for_stops() const;

  const std::vector<std::string> stops_;
  size_t longest_stop_ = 0;
  std::string pending_;  // valid UTF-8, save perhaps for its last, unfinished character
  std::optional<std::string> stopped_by_;
};

}  // namespace cria
