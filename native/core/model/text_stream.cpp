#include "core/model/text_stream.h"

#include <algorithm>
#include <utility>

#include "core/model/utf8.h"

namespace cria {

TextStream::TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_)
    longest_stop_ = std::max(longest_stop_, stop.size());
}

std::string TextStream::push(std::string_view bytes) {
  if (stopped_by_) return {};

  const size_t fresh = pending_.size();
  pending_.append(bytes);
  if (const std::optional<Match> match = find_stop(fresh)) {
    stopped_by_ = *match->stop;
    pending_.resize(match->begin);
    return finish();
  }

  const size_t held = std::max(held_for_stops(), utf8::unfinished_tail(pending_));
  const size_t certain = pending_.size() - held;
  std::string text = utf8::repair(std::string_view(pending_).substr(0, certain));
  pending_.erase(0, certain);
  return text;
}

std::string TextStream::finish() { return utf8::repair(std::exchange(pending_, {})); }

// Only a match that ends in the fresh bytes can be new.
std::optional<TextStream::Match> TextStream::find_stop(size_t fresh) const {
  std::optional<Match> best;
  size_t best_end = 0;
  for (const std::string& stop : stops_) {
    const size_t from = fresh >= stop.size() ? fresh - stop.size() + 1 : 0;
    const size_t begin = pending_.find(stop, from);
    if (begin == std::string::npos) continue;
    const size_t end = begin + stop.size();
    const bool better = !best || end < best_end || (end == best_end && begin < best->begin);
    if (!better) continue;
    best = Match{begin, &stop};
    best_end = end;
  }
  return best;
}

// The length of the longest tail that is the beginning of a stop string.
size_t TextStream::held_for_stops() const {
  if (longest_stop_ == 0) return 0;
  const std::string_view text = pending_;
  for (size_t length = std::min(text.size(), longest_stop_ - 1); length > 0; --length) {
    const std::string_view tail = text.substr(text.size() - length);
    const bool begins = std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) {
      return stop.size() > length && stop.compare(0, length, tail) == 0;
    });
    if (begins) return length;
  }
  return 0;
}

}  // namespace cria
