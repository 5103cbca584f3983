// What a llama_context needs that embeds or ranks (embedder.h tells the two ways).
#pragma once

#include <llama.h>

#include "core/model/model.h"
#include "core/request/context_options.h"

namespace cria {

// Throws ERR_UNSUPPORTED if the model makes no embeddings.
void check_embeds(const Model& model);

// Whether rows can be read before the head. `weights`: the model or its outline.
bool can_read_rows(const Model& model, const llama_model* weights, Pooling pooling);

// Tokens of the longest text.
int32_t longest_text(const Model& model, const ContextOptions& options);

llama_context_params embedding_params(const Model& model, const ContextOptions& options,
                                      bool reads_rows);

}  // namespace cria
