// Turns the bytes of tokens into text that may be shown: whole UTF-8 characters only, and nothing
// that is or may become a stop string.
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

  // Takes the bytes of the next token and returns the text that is now certain. Bytes that are not
  // UTF-8 become U+FFFD. Once a stop string was met, it and everything after it are dropped.
  std::string push(std::string_view bytes);

  // The end of the text: returns what was held back, an unfinished character as U+FFFD.
  std::string finish();

  // The stop string that was met: the one that ends first, or the longest of those that end
  // together.
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
  std::string pending_;  // held back
  std::optional<std::string> stopped_by_;
};

}  // namespace cria
