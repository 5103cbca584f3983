#include "core/sampling/grammar_rules.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/model/error.h"

namespace cria {

namespace {

using Kind = GrammarRules::Kind;
using Ranges = Utf8Automaton::Ranges;

// As llama.cpp has it: an upper bound above it is none.
constexpr uint32_t kMostRepetitions = 2000;
// lib/sampling/gbnf lets 200 groups inside each other through.
constexpr int kDeepest = 256;
// Sizes go no further.
constexpr uint64_t kLargest = 1 << 30;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Reader {
 public:
  Reader(const std::string& source, const Vocabulary& vocabulary)
      : source_(source), vocabulary_(vocabulary), at_(source.c_str()) {}

  GrammarRules read(const std::string& root) {
    space(true);
    while (*at_ != '\0')
      rule();
    const auto known = ids_.find(root);
    if (known == ids_.end() || rules_.rules[known->second] == GrammarRules::kNone) refuse();
    rules_.root = known->second;
    return std::move(rules_);
  }

 private:
  [[noreturn]] void refuse() const {
    throw Error(code::kGrammarInvalid, "The grammar cannot be read from byte " +
                                           std::to_string(at_ - source_.c_str()) +
                                           " on. Expected rules in GBNF, one of them the root.");
  }

  void rule() {
    const uint32_t id = rule_id(name());
    space(false);
    if (std::strncmp(at_, "::=", 3) != 0) refuse();
    at_ += 3;
    space(true);
    const uint32_t body = choice(0);
    rules_.rules[id] = body;
    if (*at_ == '\r') {
      at_ += at_[1] == '\n' ? 2 : 1;
    } else if (*at_ == '\n') {
      ++at_;
    } else if (*at_ != '\0') {
      refuse();
    }
    space(true);
  }

  uint32_t choice(int depth) {
    const size_t begin = open_.size();
    open_.push_back(sequence(depth));
    while (*at_ == '|') {
      ++at_;
      space(true);
      open_.push_back(sequence(depth));
    }
    return together(Kind::kChoice, begin);
  }

  uint32_t sequence(int depth) {
    const bool nested = depth > 0;
    const size_t begin = open_.size();
    for (;;) {
      switch (*at_) {
        case '"':
          open_.push_back(literal());
          break;
        case '[':
          open_.push_back(character_class());
          break;
        case '.':
          ++at_;
          open_.push_back(one_of({}, true));
          break;
        case '<':
        case '!':
          open_.push_back(token());
          break;
        case '(':
          if (depth >= kDeepest) refuse();
          ++at_;
          space(true);
          open_.push_back(choice(depth + 1));
          if (*at_ != ')') refuse();
          ++at_;
          break;
        case '*':
        case '+':
        case '?':
        case '{':
          // What an operator applies to is the last one.
          if (open_.size() == begin) refuse();
          open_.back() = repeated(open_.back(), nested);
          break;
        default:
          if (!is_name(*at_)) return together(Kind::kSequence, begin);
          open_.push_back(add({Kind::kRule, rule_id(name()), 0, 1}));
      }
      space(nested);
    }
  }

  uint32_t repeated(uint32_t inner, bool nested) {
    GrammarRules::Bounds bounds = operator_bounds(nested);
    if (bounds.max < bounds.min) refuse();
    if (bounds.max == 0) return add({});
    const GrammarRules::Expression expression = rules_.expressions[inner];
    uint32_t subject = inner;
    if (expression.kind == Kind::kRepeat) {
      // (x{a,b}){c,d} is x{ac,bd} if a is at most 1.
      const GrammarRules::Bounds of_inner = rules_.bounds[expression.count];
      const bool unlimited =
          of_inner.max == GrammarRules::kUnlimited || bounds.max == GrammarRules::kUnlimited;
      const uint64_t most = uint64_t{of_inner.max} * bounds.max;
      if (of_inner.min <= 1 && (unlimited || most <= kMostRepetitions)) {
        subject = expression.subject;
        bounds = {of_inner.min * bounds.min,
                  unlimited ? GrammarRules::kUnlimited : static_cast<uint32_t>(most)};
      }
    }
    const uint64_t times = bounds.max == GrammarRules::kUnlimited ? bounds.min + 1 : bounds.max;
    const uint64_t size =
        std::min(kLargest, times * std::max(1U, rules_.expressions[subject].size));
    rules_.bounds.push_back(bounds);
    return add({Kind::kRepeat, subject, static_cast<uint32_t>(rules_.bounds.size() - 1),
                static_cast<uint32_t>(size)});
  }

  GrammarRules::Bounds operator_bounds(bool nested) {
    switch (*at_++) {
      case '*':
        return {0, GrammarRules::kUnlimited};
      case '+':
        return {1, GrammarRules::kUnlimited};
      case '?':
        return {0, 1};
    }
    space(nested);
    const uint64_t min = number();
    if (min > kMostRepetitions) refuse();
    uint64_t max = min;
    space(nested);
    if (*at_ == ',') {
      ++at_;
      space(nested);
      max = is_digit(*at_) ? number() : GrammarRules::kUnlimited;
      space(nested);
    }
    if (*at_ != '}') refuse();
    ++at_;
    return {static_cast<uint32_t>(min),
            max > kMostRepetitions ? GrammarRules::kUnlimited : static_cast<uint32_t>(max)};
  }

  uint32_t literal() {
    const size_t begin = open_.size();
    ++at_;
    while (*at_ != '"')
      open_.push_back(character(code_point()));
    ++at_;
    return together(Kind::kSequence, begin);
  }

  // Most classes of a grammar are written many times.
  uint32_t character_class() {
    const char* end = at_;
    while (*end != ']' && *end != '\0')
      end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    const std::string_view written(at_, static_cast<size_t>(end - at_));
    const auto [known, made] = classes_.emplace(written, GrammarRules::kNone);
    if (made) {
      known->second = new_class();
    } else {
      at_ = end + 1;
    }
    return known->second;
  }

  uint32_t new_class() {
    Ranges ranges;
    ++at_;
    const bool negated = *at_ == '^';
    if (negated) ++at_;
    while (*at_ != ']') {
      const uint32_t low = code_point();
      uint32_t high = low;
      if (at_[0] == '-' && at_[1] != ']') {
        ++at_;
        high = code_point();
      }
      ranges.emplace_back(low, high);
    }
    ++at_;
    // llama.cpp reads [] and [^] as nothing at all.
    return ranges.empty() ? add({}) : one_of(ranges, negated);
  }

  uint32_t one_of(const Ranges& ranges, bool negated) {
    return add({Kind::kCharacter, rules_.characters.add(ranges, negated), 0, 1});
  }

  uint32_t character(uint32_t one) {
    if (one >= ascii_.size()) return one_of({{one, one}}, false);
    uint32_t& known = ascii_[one];
    if (known == GrammarRules::kNone) known = one_of({{one, one}}, false);
    return known;
  }

  uint32_t token() {
    GrammarRules::Token token{LLAMA_TOKEN_NULL, *at_ == '!'};
    if (token.negated) ++at_;
    const char* const begin = at_;
    if (*at_ != '<') refuse();
    if (at_[1] == '[') {
      at_ += 2;
      const uint64_t id = number();
      if (at_[0] != ']' || at_[1] != '>') refuse();
      at_ += 2;
      // An id that the vocabulary does not have is one that never comes.
      if (id < static_cast<uint64_t>(vocabulary_.size())) token.id = static_cast<llama_token>(id);
    } else {
      while (*at_ != '>') {
        if (*at_ == '\0') refuse();
        ++at_;
      }
      ++at_;
      const std::string text(begin, at_);
      const Tokens tokens = vocabulary_.tokenize(text, /*special=*/true);
      if (tokens.size() != 1) {
        throw Error(code::kGrammarInvalid,
                    "The grammar names the token " + text + ", which this model does not have.");
      }
      token.id = tokens.front();
    }
    rules_.tokens.push_back(token);
    return add({Kind::kToken, static_cast<uint32_t>(rules_.tokens.size() - 1), 0, 1});
  }

  uint32_t code_point() {
    if (*at_ == '\0') refuse();
    if (*at_ != '\\') return utf8();
    const char letter = at_[1];
    if (letter == '\0') refuse();
    at_ += 2;
    switch (letter) {
      case 'x':
        return hex(2);
      case 'u':
        return hex(4);
      case 'U':
        return hex(8);
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      default:
        return static_cast<unsigned char>(letter);
    }
  }

  uint32_t hex(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (hex_digit(*at_) < 0) refuse();
      value = value << 4 | static_cast<uint32_t>(hex_digit(*at_));
    }
    return value;
  }

  uint32_t utf8() {
    const auto lead = static_cast<unsigned char>(*at_++);
    int more = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    uint32_t value = more == 0 ? lead : lead & (0x3FU >> more);
    for (; more > 0 && *at_ != '\0'; --more)
      value = value << 6 | (static_cast<unsigned char>(*at_++) & 0x3FU);
    return value;
  }

  std::string_view name() {
    const char* const begin = at_;
    while (is_name(*at_))
      ++at_;
    if (at_ == begin) refuse();
    return {begin, static_cast<size_t>(at_ - begin)};
  }

  uint64_t number() {
    if (!is_digit(*at_)) refuse();
    uint64_t value = 0;
    for (; is_digit(*at_); ++at_)
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(*at_ - '0'), UINT32_MAX);
    return value;
  }

  uint32_t rule_id(std::string_view name) {
    const auto [known, made] = ids_.emplace(name, static_cast<uint32_t>(rules_.rules.size()));
    if (made) rules_.rules.push_back(GrammarRules::kNone);
    return known->second;
  }

  void space(bool lines) {
    for (; *at_ == ' ' || *at_ == '\t' || *at_ == '#' || (lines && (*at_ == '\r' || *at_ == '\n'));
         ++at_) {
      if (*at_ != '#') continue;
      while (at_[1] != '\0' && at_[1] != '\r' && at_[1] != '\n')
        ++at_;
    }
  }

  uint32_t add(const GrammarRules::Expression& expression) {
    rules_.expressions.push_back(expression);
    return static_cast<uint32_t>(rules_.expressions.size() - 1);
  }

  // Takes the open parts from one on.
  uint32_t together(Kind kind, size_t from) {
    const auto first = open_.begin() + static_cast<std::ptrdiff_t>(from);
    const auto count = static_cast<uint32_t>(open_.end() - first);
    uint32_t whole = GrammarRules::kNone;
    if (count == 1) {
      whole = *first;
    } else if (count == 0) {
      whole = add({});
    } else {
      uint64_t size = 0;
      for (auto part = first; part != open_.end(); ++part)
        size += rules_.expressions[*part].size;
      size = std::min(size, kLargest);
      const auto begin = static_cast<uint32_t>(rules_.parts.size());
      rules_.parts.insert(rules_.parts.end(), first, open_.end());
      whole = add({kind, begin, count, static_cast<uint32_t>(size)});
    }
    open_.resize(from);
    return whole;
  }

  const std::string& source_;
  const Vocabulary& vocabulary_;
  const char* at_;
  GrammarRules rules_;
  std::vector<uint32_t> open_;  // parts of the sequences and choices around this place
  std::unordered_map<std::string_view, uint32_t> ids_;
  std::unordered_map<std::string_view, uint32_t> classes_;
  std::vector<uint32_t> ascii_ = std::vector<uint32_t>(0x80, GrammarRules::kNone);
};

}  // namespace

GrammarRules read_grammar(const std::string& source, const std::string& root,
                          const Vocabulary& vocabulary) {
  return Reader(source, vocabulary).read(root);
}

}  // namespace cria
