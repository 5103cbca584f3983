// One picture or sound on its way through mtmd: decoded, cut into chunks and the tokens around
// them, then encoded. Used by projector.cpp alone.
#pragma once

#include <llama.h>
#include <mtmd.h>

#include <functional>
#include <memory>
#include <vector>

#include "core/media/media.h"
#include "core/media/media_chunk.h"

namespace cria {

class MediaEncoding {
 public:
  using GoesOn = std::function<bool()>;

  MediaEncoding(mtmd_context* context, const llama_model* model)
      : context_(context), model_(model) {}

  // Any thread. False once `goes_on` returns false. Throws ERR_MEDIA_INVALID.
  bool prepare(MediaKind kind, const std::vector<uint8_t>& bytes, const GoesOn& goes_on);

  // How many rows it will have.
  MediaExtent extent() const;

  // How many chunks of embeddings it has.
  int32_t chunks() const;

  // One at a time for a context. The chunks are numbered from `first_id` on. Null once `goes_on`
  // returns false.
  std::shared_ptr<const EncodedMedia> encode(int32_t first_id, const GoesOn& goes_on);

 private:
  mtmd::bitmap bitmap_of(MediaKind kind, const std::vector<uint8_t>& bytes,
                         const GoesOn& goes_on) const;
  std::shared_ptr<MediaChunk> chunk_of(const mtmd_input_chunk* chunk,
                                       const float* embeddings) const;
  size_t encode_together(size_t from, std::vector<std::shared_ptr<MediaChunk>>& encoded) const;

  mtmd_context* const context_;
  const llama_model* const model_;
  MediaKind kind_ = MediaKind::kImage;
  mtmd::input_chunks_ptr list_;
};

}  // namespace cria
