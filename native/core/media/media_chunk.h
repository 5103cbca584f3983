// What a projector makes of a picture or a sound: rows of embeddings that the model takes in the
// place of tokens', and the tokens around them.
#pragma once

#include <llama.h>

#include <array>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

// Rows that were encoded together, and are evaluated in one go or in pieces from the first on.
struct MediaChunk {
  // Where a row of a picture is for a model with M-RoPE: time, y and x, from the chunk's first
  // position.
  using Place = std::array<llama_pos, 3>;

  int32_t id = 0;  // see media_token()
  int32_t rows = 0;
  llama_pos positions = 0;    // how many it takes, at most one for each row
  bool non_causal = false;    // each row attends to all others: they cannot be evaluated in pieces
  int32_t dimensions = 1;     // of llama.cpp's positions: 4 with M-RoPE
  std::vector<Place> places;  // empty: the rows stand in a line, in every dimension
  int32_t width = 0;          // of a row
  std::vector<float> embeddings;

  size_t bytes() const { return embeddings.size() * sizeof(float) + places.size() * sizeof(Place); }
};

using MediaPart = std::variant<Tokens, std::shared_ptr<const MediaChunk>>;

// Whether a context has room for it depends on these.
struct MediaExtent {
  size_t rows = 0;      // in all, the tokens around them, too
  size_t together = 0;  // the most that have to be evaluated in one go
};

// The parts of one picture or sound, in order.
struct EncodedMedia {
  std::vector<MediaPart> parts;
  MediaExtent extent;
  size_t bytes = 0;
};

}  // namespace cria
