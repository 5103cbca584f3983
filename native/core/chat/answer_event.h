// What is found in an answer while it is written, piece by piece.
#pragma once

#include <cstddef>
#include <string>

namespace cria {

struct AnswerEvent {
  enum class Kind {
    kText,
    kReasoning,
    kCall,       // begins: its name
    kArguments,  // the next piece of its JSON text
    kCallEnd,    // what was written instead of a call, if it is broken
  };
  Kind kind;
  std::string text;
  // Of thoughts: their place in the answer, in bytes.
  size_t from = 0;
  size_t to = 0;
  bool broken = false;  // the call that ends
};

}  // namespace cria
