#include "core/sampling/trigger.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>

#include "core/model/deep_stack.h"
#include "core/model/error.h"

namespace cria {

namespace {

// How many characters and comparisons of places one search may take: about a second's worth. A
// linear search of the whole window takes some ten thousand; one that starts again at each
// character needs more than this.
constexpr int64_t kMaxSteps = 20'000'000 / kSanitizedFactor;  // each takes as much longer there

// The longest text to search on the caller's stack; the smallest is that of a thread on macOS, 512
// KiB.
constexpr size_t kOnAnyStack = 512 / kSanitizedFactor;
constexpr size_t kStackMargin = size_t{1} << 20;

size_t stack_for(size_t length) { return length <= kOnAnyStack ? 262144 : length * 2048; }

struct TooLong {
  bool stack;  // more of it may help
};

// How many steps a search may still take, and the lowest address that its stack may reach.
struct Budget {
  int64_t steps;
  uintptr_t lowest;
};

// std::regex can be interrupted only by an exception from its iterators.
class Counted {
 public:
  using iterator_category = std::bidirectional_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Counted() = default;
  Counted(const char* at, Budget* budget) : at_(at), budget_(budget) {}

  reference operator*() const {
    spend();
    return *at_;
  }
  Counted& operator++() {
    ++at_;
    return *this;
  }
  Counted operator++(int) { return {at_++, budget_}; }
  Counted& operator--() {
    --at_;
    return *this;
  }
  Counted operator--(int) { return {at_--, budget_}; }
  // Nested repetitions compare far more than they look.
  bool operator==(const Counted& other) const {
    if (budget_ != nullptr) spend();
    return at_ == other.at_;
  }
  bool operator!=(const Counted& other) const { return !(*this == other); }
  const char* at() const { return at_; }

 private:
  void spend() const {
    if (--budget_->steps < 0) throw TooLong{false};
    if (stack_position() < budget_->lowest) throw TooLong{true};
  }

  const char* at_ = nullptr;
  Budget* budget_ = nullptr;
};

}  // namespace

Trigger::Trigger(const std::vector<std::string>& patterns) {
  for (const std::string& source : patterns) {
    try {
      const bool whole = !source.empty() && source.front() == '^' && source.back() == '$';
      patterns_.push_back(
          {source, std::regex(source), literal_of(source), whole, is_anchored(source)});
    } catch (const std::regex_error& error) {
      throw Error(code::kInvalidArgument, "Expected a regular expression as the trigger of a " +
                                              ("grammar, got " + source) + ": " + error.what());
    }
  }
}

// Begins with ^, which no alternative outside of groups gets around.
bool Trigger::is_anchored(const std::string& pattern) {
  if (pattern.empty() || pattern.front() != '^') return false;
  int depth = 0;
  bool in_class = false;
  for (size_t i = 1; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      --depth;
    } else if (c == '|' && depth == 0) {
      return false;
    }
  }
  return true;
}

std::optional<Trigger::Literal> Trigger::literal_of(const std::string& pattern) {
  Literal literal;
  std::optional<size_t> begin;
  std::optional<size_t> end;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '(' && !begin && pattern.compare(i + 1, 1, "?") != 0) {
      begin = literal.text.size();
    } else if (c == ')' && begin && !end) {
      end = literal.text.size();
    } else if (c == '\\') {
      ++i;
      const bool plain = i < pattern.size() && std::ispunct(static_cast<unsigned char>(pattern[i]));
      if (!plain) return std::nullopt;
      literal.text += pattern[i];
    } else if (std::strchr("^$.*+?()[]{}|", c) != nullptr) {
      return std::nullopt;
    } else {
      literal.text += c;
    }
  }
  if (literal.text.empty()) return std::nullopt;
  if (begin && *end > *begin) literal.group = *begin;
  return literal;
}

std::optional<size_t> Trigger::search(const Pattern& pattern, const std::string& text, size_t from,
                                      bool begins, size_t stack) {
  Budget budget{kMaxSteps, stack_position() - stack * kSanitizedFactor};
  const Counted begin(text.data() + from, &budget);
  const Counted end(text.data() + text.size(), &budget);
  auto flags = std::regex_constants::match_default;
  if (!begins) flags |= std::regex_constants::match_prev_avail;
  if (pattern.anchored) flags |= std::regex_constants::match_continuous;
  std::match_results<Counted> match;
  const bool found = (pattern.whole && std::regex_match(begin, end, match, pattern.regex, flags)) ||
                     std::regex_search(begin, end, match, pattern.regex, flags);
  if (!found) return std::nullopt;
  for (size_t group = 1; group < match.size(); ++group) {
    if (match.length(group) > 0) return match[group].first.at() - text.data();
  }
  return match[0].first.at() - text.data();
}

std::optional<size_t> Trigger::find(const std::string& text, size_t searched, size_t begin) const {
  const size_t window = text.size() - std::min(text.size(), kWindow);
  std::optional<size_t> found;
  for (const Pattern& pattern : patterns_) {
    if (pattern.literal) {
      const size_t reach = pattern.literal->text.size();
      const size_t from = std::max(begin, searched - std::min(searched, reach));
      const size_t at = text.find(pattern.literal->text, from);
      if (at != std::string::npos) return at + pattern.literal->group;
      continue;
    }
    size_t stack = stack_for(0);
    const auto look = [&](size_t from, bool begins) {
      if (pattern.anchored && !begins) return;
      found = search(pattern, text, from, begins, stack);
      if (found && *found < begin) found.reset();
    };
    const auto look_everywhere = [&] {
      if (begin > 0 && pattern.anchored) look(window, window == 0);
      if (!found) look(std::max(window, begin), begin >= window);
    };
    const size_t length = text.size() - window;
    try {
      // Most searches end after a few characters, on the caller's stack. A thread for each token
      // would take longer than all the rest of it.
      try {
        look_everywhere();
      } catch (const TooLong& too_long) {
        if (!too_long.stack || length <= kOnAnyStack) throw;
        found.reset();
        stack = stack_for(length);
        with_stack(kStackMargin + stack, look_everywhere);
      }
    } catch (const TooLong&) {
      throw Error(
          code::kDecodeFailed,
          "The trigger " + pattern.source +
              " of a lazy grammar takes too long: anchor it, and leave out what it does not need, "
              "such as .* at its ends.");
    } catch (const std::regex_error& error) {
      throw Error(code::kDecodeFailed,
                  "The trigger " + pattern.source + " of a lazy grammar failed: " + error.what());
    }
    if (found) return found;
  }
  return std::nullopt;
}

}  // namespace cria
