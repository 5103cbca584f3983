#include "core/embedding/embedding_params.h"

#include <algorithm>

#include "core/model/error.h"

namespace cria {

void check_embeds(const Model& model) {
  if (!llama_model_has_encoder(model.handle()) || !llama_model_has_decoder(model.handle())) return;
  throw Error(code::kUnsupported, "A model of architecture \"" +
                                      model.metadata("general.architecture") +
                                      "\" makes no embeddings: expected an encoder or a decoder, "
                                      "not both.");
}

// llama.cpp evaluates a recurrent model's texts one after the other, in an order of its own.
bool can_read_rows(const Model& model, const llama_model* weights, Pooling pooling) {
  return pooling != LLAMA_POOLING_TYPE_RANK && model.generates() &&
         !llama_model_is_recurrent(weights) && !llama_model_is_hybrid(weights) &&
         llama_model_n_embd_out(weights) == llama_model_n_embd(weights);
}

// If positions are rows of a table, a text must not be longer than the table.
int32_t longest_text(const Model& model, const ContextOptions& options) {
  const int32_t positions = model.position_count();
  return positions > 0 ? std::min(options.context_size, positions) : options.context_size;
}

llama_context_params embedding_params(const Model& model, const ContextOptions& options,
                                      bool reads_rows) {
  llama_context_params params = llama_context_default_params();
  const auto pack = static_cast<uint32_t>(options.micro_batch_size);
  const auto longest = static_cast<uint32_t>(longest_text(model, options));
  const auto texts = static_cast<uint32_t>(options.sequences);
  params.embeddings = true;
  params.kv_unified = true;  // texts of any length in one micro-batch
  params.n_seq_max = texts;
  // A whole number of tokens for each text: llama.cpp reserves memory for a graph with that many,
  // and asserts if it is more than a micro-batch.
  const uint32_t tokens = std::max(reads_rows ? pack : std::max(pack, longest), texts);
  params.n_ubatch = (tokens + texts - 1) / texts * texts;
  params.n_batch = params.n_ubatch;
  params.n_ctx = longest + params.n_ubatch;  // a long text, and others beside its last piece
  // llama.cpp needs room for a row of logits for each output, though none are computed.
  const bool one_each = reads_rows && (options.pooling == LLAMA_POOLING_TYPE_CLS ||
                                       options.pooling == LLAMA_POOLING_TYPE_LAST);
  const uint32_t few = std::min((texts + 15) / 16 * 16, params.n_ubatch);
  params.n_outputs_max = one_each ? few : params.n_ubatch;
  params.pooling_type = reads_rows ? LLAMA_POOLING_TYPE_NONE : options.pooling;
  return params;
}

}  // namespace cria
