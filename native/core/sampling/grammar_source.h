// What a walk through the tokens of a vocabulary has to know of a grammar beforehand.
#pragma once

#include <llama.h>

#include <cstddef>
#include <set>
#include <string>

#include "core/model/vocabulary.h"

namespace cria {

class GrammarSource {
 public:
  // `source` is well-formed GBNF.
  GrammarSource(const std::string& source, const Vocabulary& vocabulary);

  // Tokens that it names by text or id.
  std::set<llama_token> named;

  // Whether some class is negated and has characters beyond ASCII: llama.cpp refuses the first
  // bytes of those it leaves out, though other characters begin with them.
  bool excludes_beyond_ascii = false;

 private:
  size_t read_class(const std::string& source, size_t at);
  size_t read_token(const std::string& source, size_t at, const Vocabulary& vocabulary);
};

}  // namespace cria
