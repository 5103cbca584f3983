// A prompt on its way into the scheduler: all of its tokens, and what those that are none stand
// for.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/media/media_chunk.h"
#include "core/media/projector.h"
#include "core/request/request.h"

namespace cria {

// Where among the tokens a chunk of embeddings is.
struct MediaSpan {
  int32_t begin;
  std::shared_ptr<const MediaChunk> chunk;

  int32_t end() const { return begin + chunk->rows; }
};

struct PreparedPrompt {
  Tokens tokens;
  std::vector<MediaSpan> media;  // in rising order
};

// Tokenizes its texts, decodes and encodes its media, which takes long: on a preparing thread. Once
// that thread's TokenWatch says so it stops, and what it returns need not be right. `projector` may
// be null. Throws if the prompt is invalid, or has more media than there is room for.
PreparedPrompt prepare_prompt(const Vocabulary& vocabulary, const Prompt& prompt,
                              Projector* projector, const Projector::Room& room);

}  // namespace cria
