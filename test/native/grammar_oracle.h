// cria::GrammarFilter beside llama.cpp's own grammar, which is asked about every single token.
//
// They differ on purpose, and nowhere else:
// - llama.cpp accepts bytes that are no characters (overlong forms, surrogates, above U+10FFFF).
//   Here the text stays one.
// - Of [^é] it refuses the first bytes of é, though other characters begin with them; and it allows
//   the first bytes of a class that has nothing but surrogates behind them. It is asked with each
//   class written out as the characters that it has.
// - Where a rule takes a token as such, <[5]> or !<[5]>, it allows any such token behind characters
//   that the same token begins with, and fails when it comes.
// - Such a rule never takes the first bytes of a character alone, there; and what follows takes the
//   rest of a character that the token began. Here it takes whole tokens, and characters are whole.
#pragma once

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/model/utf8.h"
#include "core/model/vocabulary.h"
#include "core/sampling/grammar_filter.h"
#include "harness.h"

namespace oracle {

using cria::GrammarFilter;
using cria::Tokens;
using cria::Vocabulary;

using Sampler = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

inline std::string piece_of(const Vocabulary& vocabulary, llama_token token) {
  std::string bytes;
  vocabulary.append_piece(token, true, bytes);
  return bytes;
}

// Rewrites the classes of a grammar.
class Exact {
 public:
  explicit Exact(const std::string& source) : source_(source) {}

  std::string write() {
    while (at_ < source_.size()) {
      switch (source_[at_]) {
        case '"':
          copy_literal();
          break;
        case '#':
          while (at_ < source_.size() && source_[at_] != '\n' && source_[at_] != '\r')
            result_ += source_[at_++];
          break;
        case '<':
          tokens_ = true;
          while (source_[at_] != '>')
            result_ += source_[at_++];
          break;
        case '[':
          write_class();
          break;
        default:
          result_ += source_[at_++];
      }
    }
    return result_;
  }
  // Whether rules take tokens as such.
  bool names_tokens() const { return tokens_; }

 private:
  void copy_literal() {
    do {
      if (source_[at_] == '\\') result_ += source_[at_++];
      result_ += source_[at_++];
    } while (source_[at_] != '"');
    result_ += source_[at_++];
  }

  uint32_t character() {
    if (source_[at_] != '\\') {
      const size_t length = cria::utf8::character_length(source_, at_);
      uint32_t value = static_cast<unsigned char>(source_[at_]);
      if (length > 1) value &= 0x7FU >> length;
      for (size_t i = 1; i < length; ++i)
        value = value << 6 | (static_cast<unsigned char>(source_[at_ + i]) & 0x3FU);
      at_ += length;
      return value;
    }
    const char letter = source_[at_ + 1];
    at_ += 2;
    const int digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits > 0) {
      at_ += static_cast<size_t>(digits);
      return static_cast<uint32_t>(
          std::stoul(source_.substr(at_ - static_cast<size_t>(digits), digits), nullptr, 16));
    }
    return letter == 'n' ? '\n' : letter == 'r' ? '\r' : letter == 't' ? '\t' : letter;
  }

  void write_class() {
    ++at_;
    const bool negated = source_[at_] == '^';
    if (negated) ++at_;
    bool empty = true;
    std::vector<bool> has(0x110000, negated);
    while (source_[at_] != ']') {
      empty = false;
      const uint32_t low = character();
      uint32_t high = low;
      if (source_[at_] == '-' && source_[at_ + 1] != ']') {
        ++at_;
        high = character();
      }
      for (uint32_t one = low; one <= std::min(high, 0x10FFFFU); ++one)
        has[one] = !negated;
    }
    ++at_;
    for (uint32_t surrogate = 0xD800; surrogate < 0xE000; ++surrogate)
      has[surrogate] = false;
    has[0] = false;
    result_ += '[';
    bool any = false;
    for (uint32_t one = 0; !empty && one < has.size(); ++one) {
      if (!has[one]) continue;
      any = true;
      const uint32_t low = one;
      while (one + 1 < has.size() && has[one + 1])
        ++one;
      char range[32];
      std::snprintf(range, sizeof range, "\\U%08X-\\U%08X", low, one);
      result_ += range;
    }
    // No character, which is not the same as nothing.
    if (!any && !empty) result_ += "\\U00110000";
    result_ += ']';
  }

  const std::string& source_;
  size_t at_ = 0;
  std::string result_;
  bool tokens_ = false;
};

// What llama.cpp's grammar says of all tokens at once, but for those that make no text.
inline Tokens allowed_by_all(const Vocabulary& vocabulary, llama_sampler* sampler,
                             const std::string& text) {
  std::vector<llama_token_data> all;
  for (llama_token token = 0; token < vocabulary.size(); ++token)
    all.push_back({token, 1.0F, 0.0F});
  llama_token_data_array array{all.data(), all.size(), -1, false};
  llama_sampler_apply(sampler, &array);
  Tokens allowed;
  const std::string open = text.substr(text.size() - cria::utf8::unfinished_tail(text));
  for (const llama_token_data& candidate : all) {
    if (!std::isfinite(candidate.logit)) continue;
    const std::string piece = piece_of(vocabulary, candidate.id);
    if (vocabulary.ends_generation(candidate.id) ||
        cria::utf8::begins_text(open + piece.substr(0, piece.find('\0')))) {
      allowed.push_back(candidate.id);
    }
  }
  return allowed;
}

// Whether llama.cpp goes on with a token, without going on.
inline bool accepts(const llama_sampler* sampler, llama_token token) {
  const Sampler copy(llama_sampler_clone(sampler), llama_sampler_free);
  try {
    llama_sampler_accept(copy.get(), token);
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

struct Comparison {
  const Vocabulary& vocabulary;
  const std::string& source;
  uint32_t seed = 0;
  int states = 0;
  // In bytes, from which on it goes no further: on ambiguous grammars llama.cpp takes ever longer.
  size_t longest = SIZE_MAX;
};

// Goes on at random, and compares at every state; says how many it saw. 0 where llama.cpp takes the
// grammar for none, -1 where it alone does.
inline int compare(const Comparison& of) {
  const Vocabulary& vocabulary = of.vocabulary;
  Exact exact(of.source);
  const std::string source = exact.write();
  const Sampler sampler(llama_sampler_init_grammar(vocabulary.handle(), source.c_str(), "root"),
                        llama_sampler_free);
  cria::step::Grammar grammar;
  grammar.source = of.source;
  grammar.root = "root";
  if (!sampler) return 0;
  GrammarFilter filter(vocabulary, grammar);
  std::mt19937 random(of.seed);
  std::string text;
  for (int state = 0; state < of.states; ++state) {
    const Tokens expected = allowed_by_all(vocabulary, sampler.get(), text);
    const Tokens got = filter.allowed();
    const bool open = cria::utf8::unfinished_tail(text) > 0;
    Tokens differing;
    std::set_symmetric_difference(got.begin(), got.end(), expected.begin(), expected.end(),
                                  std::back_inserter(differing));
    for (const llama_token token : differing) {
      const std::string piece = piece_of(vocabulary, token);
      const bool cuts = open || cria::utf8::unfinished_tail(piece) > 0;
      const bool here = std::binary_search(got.begin(), got.end(), token);
      const bool known =
          exact.names_tokens() &&
          (cuts || (!here && !vocabulary.ends_generation(token) && !accepts(sampler.get(), token)));
      if (known) continue;
      harness::fail(__FILE__, __LINE__,
                    of.source + " after " + harness::show(text) + " allows " +
                        std::to_string(expected.size()) + ", got " + std::to_string(got.size()) +
                        "; differs in " + harness::show(piece));
    }
    Tokens common;
    std::set_intersection(got.begin(), got.end(), expected.begin(), expected.end(),
                          std::back_inserter(common));
    // One by one they are what they are together.
    for (int i = 0; i < 8; ++i) {
      const auto token = static_cast<llama_token>(random() % vocabulary.size());
      const bool listed = std::binary_search(got.begin(), got.end(), token);
      if (filter.allows(token) == listed) continue;
      harness::fail(__FILE__, __LINE__,
                    of.source + " after " + harness::show(text) + (listed ? " lists " : " omits ") +
                        harness::show(piece_of(vocabulary, token)) + ", but alone it is not so");
    }
    Tokens choices;
    // Bytes beyond ASCII and what is left within a character are rare: prefer them at times; at
    // others a single byte, which leaves long texts.
    for (const llama_token token : common) {
      if (vocabulary.ends_generation(token)) continue;
      const std::string piece = piece_of(vocabulary, token);
      const bool rare = static_cast<unsigned char>(piece.back()) >= 0x80;
      const bool wanted = state % 3 == 1 ? rare : state % 3 == 2 ? piece.size() == 1 : true;
      if (wanted) choices.push_back(token);
    }
    if (choices.empty()) {
      for (const llama_token token : common) {
        if (!vocabulary.ends_generation(token)) choices.push_back(token);
      }
    }
    if (choices.empty() || text.size() >= of.longest) return state + 1;
    const llama_token token = choices[random() % choices.size()];
    text += piece_of(vocabulary, token);
    llama_sampler_accept(sampler.get(), token);
    filter.accept(token);
  }
  return of.states;
}

}  // namespace oracle
