// Where the evaluation of a prompt is cut. The cuts follow from the prompt alone: a row is computed
// in the same way whatever was cached and whoever else is evaluated, and so is its result to the
// last bit.
#pragma once

#include <cstdint>

#include "core/model/vocabulary.h"

namespace cria {

// ggml's flash attention computes this many rows of one stream at once on a CPU. For fewer rows in
// a micro-batch it takes another path, which rounds differently: with smaller pieces of a prompt, a
// result would depend on who else is generating.
inline constexpr int32_t kTile = 64;

// Where the end of the prompt begins that is evaluated by itself: behind a message, if less than a
// tile comes then, as in most questions behind a long system message. With what is before in the
// cache, only its own rows are computed, not a whole tile. 0: it has no such end.
int32_t short_end(const Tokens& tokens, const Vocabulary& vocabulary, int32_t micro_batch);

struct Borders {
  int32_t length;
  int32_t cut;  // micro-batches begin here: see short_end(). 0: nowhere but at the beginning
  int32_t micro_batch;

  struct Span {
    int32_t begin;
    int32_t end;
  };
  // The micro-batch that the token at `position` is in where nothing is cached.
  Span around(int32_t position) const;

  // How many of the `common` tokens that the prompt finds in the cache it may reuse and still get
  // bit-exact results: the rows that it computes itself are then computed as if it had evaluated
  // the whole prompt. Of a micro-batch of at least a tile at least a tile is left to evaluate, and
  // a smaller one is evaluated whole.
  int32_t exact_prefix(int32_t common) const;
};

}  // namespace cria
