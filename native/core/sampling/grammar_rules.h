// A grammar in GBNF as a tree of expressions. lib/sampling/gbnf has validated the source, says
// what is wrong with one, and where; here nothing is taken that would kill the process.
#pragma once

#include <llama.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/utf8_automaton.h"

namespace cria {

struct GrammarRules {
  enum class Kind : uint8_t { kEmpty, kCharacter, kToken, kRule, kSequence, kChoice, kRepeat };
  static constexpr uint32_t kUnlimited = UINT32_MAX;
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Expression {
    Kind kind = Kind::kEmpty;
    // kCharacter: a node of `characters`. kToken: an index of `tokens`. kRule: of `rules`.
    // kSequence, kChoice: where in `parts` they begin. kRepeat: what is repeated.
    uint32_t subject = 0;
    uint32_t count = 0;  // kSequence, kChoice: their number; kRepeat: an index of `bounds`
    uint32_t size = 0;   // of characters, tokens and references, written out
  };
  struct Bounds {
    uint32_t min;
    uint32_t max;
  };
  // One token, or all others.
  struct Token {
    llama_token id;
    bool negated;
  };

  std::vector<Expression> expressions;
  std::vector<uint32_t> parts;
  std::vector<Bounds> bounds;
  std::vector<Token> tokens;
  std::vector<uint32_t> rules;  // each an expression; kNone for one that is only mentioned
  uint32_t root = 0;
  Utf8Automaton characters;

  size_t bytes() const {
    return expressions.capacity() * sizeof(Expression) + bounds.capacity() * sizeof(Bounds) +
           (parts.capacity() + rules.capacity()) * sizeof(uint32_t);
  }
};

// Throws ERR_GRAMMAR_INVALID for a source that is no grammar, lacks the root, or names a token that
// the vocabulary does not have.
GrammarRules read_grammar(const std::string& source, const std::string& root,
                          const Vocabulary& vocabulary);

}  // namespace cria
