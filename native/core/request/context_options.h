// What a context is created with, as declared in lib/internal/native.ts and validated there.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "core/adapters/control_vector.h"

namespace cria {

// llama.h has a function of the same name as the enumeration.
using Pooling = enum llama_pooling_type;

// How tokens are guessed in speculative decoding.
enum class Guesser { kNgram, kDraftModel, kEagle3, kMtp };

struct ContextOptions {
  int32_t context_size = 0;
  int32_t sequences = 1;
  bool unified_kv_cache = false;
  int32_t kv_cache_size = 0;  // cells in all
  bool swa_full = true;       // a sliding-window cache has as many, too
  uint64_t checkpoint_bytes = 0;
  int32_t batch_size = 0;
  int32_t micro_batch_size = 0;
  int32_t drafted_tokens = 0;  // of a generation, evaluated at once; 0: no speculation
  Guesser guesser = Guesser::kNgram;
  bool takes_forced = false;  // what a grammar forces is not sampled then
  int32_t threads = 0;        // 0: physical cores
  int32_t batch_threads = 0;
  llama_flash_attn_type flash_attention = LLAMA_FLASH_ATTN_TYPE_AUTO;
  ggml_type kv_cache_type_key = GGML_TYPE_F16;
  ggml_type kv_cache_type_value = GGML_TYPE_F16;
  float rope_frequency_base = 0;  // 0: from the model
  float rope_frequency_scale = 0;
  bool embeddings = false;  // the context embeds or ranks, and does nothing else
  Pooling pooling = LLAMA_POOLING_TYPE_MEAN;
  std::vector<ControlVector> control_vectors;
};

}  // namespace cria
