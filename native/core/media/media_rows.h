// One llama_decode of embeddings: a piece of the rows of one chunk, for one sequence. In arrays
// laid out as llama_batch wants them and reused.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "core/media/media_chunk.h"

namespace cria {

class MediaRows {
 public:
  // `first`: llama.cpp's position of the chunk's first row. `output`: the last row's logits are
  // wanted. The chunk has to outlive the use of view().
  void set(const MediaChunk& chunk, int32_t from, int32_t count, llama_pos first, llama_seq_id slot,
           bool output);

  // Valid until the next change.
  llama_batch view();

 private:
  float* embeddings_ = nullptr;
  std::vector<llama_pos> positions_;
  std::vector<int32_t> slot_counts_;  // all 1
  llama_seq_id slot_ = 0;
  std::vector<llama_seq_id*> slot_pointers_;  // to slot_
  std::vector<int8_t> outputs_;
};

// While it lives, every row of a batch attends to all of them, if `wanted`.
class NonCausal {
 public:
  NonCausal(llama_context* context, bool wanted) : context_(wanted ? context : nullptr) {
    if (context_ != nullptr) llama_set_causal_attn(context_, false);
  }
  ~NonCausal() {
    if (context_ != nullptr) llama_set_causal_attn(context_, true);
  }
  NonCausal(const NonCausal&) = delete;
  NonCausal& operator=(const NonCausal&) = delete;

 private:
  llama_context* const context_;
};

}  // namespace cria
