// Where the evaluation of a prompt is cut. The cuts follow from the prompt alone: a row is computed
// in the same way whatever was cached and whoever else is evaluated, and so is its result to the
// last bit.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

// ggml's flash attention computes this many rows of one stream at once on a CPU. For fewer rows in
// a micro-batch it takes another path, which rounds differently: with smaller pieces of a prompt, a
// result would depend on who else is generating.
inline constexpr int32_t kTile = 64;

// Positions where micro-batches begin, besides the first, in rising order.
using Cuts = std::vector<int32_t>;
inline const Cuts kNoCuts;

struct BorderRule {
  int32_t micro_batch;
  // The cache goes back to checkpoints only: it needs a cut wherever one is worth it.
  bool checkpoints = false;
};

Cuts cuts_of(const Tokens& tokens, const Vocabulary& vocabulary, const BorderRule& rule);

// Where the end of the prompt begins that is evaluated by itself: behind a message, if less than a
// tile comes then, as in most questions behind a long system message. With what is before in the
// cache, only its own rows are computed, not a whole tile. 0: it has no such end.
int32_t short_end(const Tokens& tokens, const Vocabulary& vocabulary, int32_t micro_batch);

// Behind each message, but for those that end shortly behind another cut. Whether there is a cut
// follows from what comes before it, so a longer prompt has it, too.
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
  // the whole prompt. Of a micro-batch of at least a tile at least a tile is left to evaluate, and
  // a smaller one is evaluated whole.
  int32_t exact_prefix(int32_t common) const;
};

}  // namespace cria
