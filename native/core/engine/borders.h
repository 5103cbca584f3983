// Where the evaluation of a prompt is cut. The cuts follow from the prompt alone: a row is computed
// in the same way whatever was cached and whoever else is evaluated, and so is its result to the
// last bit.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

// The fewest rows of a piece of a prompt: a row costs about the same in larger ones.
inline constexpr int32_t kLeastRows = 16;
// As few where so many would hold others up for too long. A row is rounded the same as in larger
// ones: rows are multiplied by fours, and pieces begin at a multiple of that.
inline constexpr int32_t kFewestRows = 4;
// A single row is multiplied by other code than two together, and rounded differently.
inline constexpr int32_t kFewestTogether = 2;

// Positions where micro-batches begin, besides the first, in rising order.
using Cuts = std::vector<int32_t>;
inline const Cuts kNoCuts;

// Where a cache that goes back to checkpoints only needs a cut: behind each message, but for those
// that end shortly behind another cut. Whether there is a cut follows from what comes before it, so
// a longer prompt has it, too.
Cuts message_ends(const Tokens& tokens, const Vocabulary& vocabulary);

struct Borders {
  int32_t length;
  const Cuts& cuts;
  int32_t micro_batch;
  // Where a prefix was reused that need not leave the result bit-exact, micro-batches begin behind
  // it.
  int32_t start = 0;

  struct Span {
    int32_t begin;
    int32_t end;
  };
  // The micro-batch that the token at `position` is in where nothing is cached.
  Span around(int32_t position) const;
  bool begin_at(int32_t position) const { return around(position).begin == position; }

  // How many of the `common` tokens that the prompt finds in the cache it may reuse and still get
  // bit-exact results: the rows that it computes itself are then computed as if it had evaluated
  // the whole prompt. Of a micro-batch of at least kLeastRows as many are left to evaluate, and a
  // smaller one is evaluated whole.
  int32_t exact_prefix(int32_t common) const;
};

}  // namespace cria
