// Which heads llama.cpp v0.5.0 can compute, and what of them it only asserts, or not even that.
//
// EAGLE-3 is a file of its own (architecture "eagle3"): one layer that reads what goes into three
// of the model's layers, projected to its own width, beside the next token's embedding. Its
// embeddings and its output layer may be the model's (llama_context_params::ctx_other), and with
// the tensor "d2t" its own output layer has fewer tokens. The model keeps the inputs of its layers
// only where its graph names them (`t_layer_inp` in src/models): see kKept. The others end in an
// assertion.
//
// MTP ("NextN") is in the model's own file: layers behind the last one, counted by
// "nextn_predict_layers", which are loaded only with llama_model_params::load_mtp, and computed by
// a second context of the same model, of type LLAMA_CONTEXT_TYPE_MTP. An architecture has a graph
// for them or not (`graph_mtp` in src/models): see kPredicting. Where it has none, its usual graph
// would run instead. Those of recurrent and hybrid models (qwen35, qwen35moe, qwen3next,
// nemotron_h_moe, bailingmoe3, deepseek4) are refused with all other guesses: their states cannot
// be cut back. Gemma 4's assistant, DFlash and DSpark are other kinds of drafts.
#pragma once

#include <cstdint>

#include "core/model/model.h"

namespace cria {

// Both throw ERR_INVALID_ARGUMENT or ERR_UNSUPPORTED with the reason, or ERR_MODEL_INVALID.

// `head`: the model's `speculation.draft`.
void check_eagle3(const Model& head, const Model& model);
void check_mtp(const Model& model);

}  // namespace cria
