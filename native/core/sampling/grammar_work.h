// What following a grammar may cost at a time. Steps are counted, not seconds: what is refused once
// is refused always.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/model/error.h"

namespace cria {

class GrammarWork {
 public:
  // Of states and their tables, within one call; what is kept longer is far less.
  static constexpr size_t kMostBytes = size_t{256} << 20;

  // From here on.
  void begin() { steps_ = 0; }

  void add(size_t steps) {
    steps_ += steps;
    if (steps_ > kMostSteps) refuse();
  }

  [[noreturn]] static void refuse() {
    throw Error(code::kGrammarInvalid,
                "The grammar has become too ambiguous to go on with: there are too many ways to "
                "read the text so far. Give alternatives that begin alike one rule for what they "
                "share.");
  }

 private:
  // About a second's worth.
  static constexpr uint64_t kMostSteps = 100'000'000;

  uint64_t steps_ = 0;
};

}  // namespace cria
