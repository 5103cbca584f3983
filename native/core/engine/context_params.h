// ContextOptions in llama.cpp's form, and what a context with them takes.
#pragma once

#include <llama.h>

#include <functional>

#include "core/engine/cache.h"
#include "core/model/memory_breakdown.h"
#include "core/model/model.h"
#include "core/request/context_options.h"

namespace cria {

// Throws ERR_UNSUPPORTED if the model, with weights, could not do what the context is for.
void check_ability(const Model& model, const ContextOptions& options);

// Of a context that generates.
MemoryKind memory_kind(const llama_model* model, const ContextOptions& options);

// Of the context that a model has which guesses for one with these; it forgets where it was trained
// on less. Throws ERR_UNSUPPORTED if it cannot.
ContextOptions draft_options(const Model& draft, const ContextOptions& options);

llama_context_params generation_params(const ContextOptions& options);

// What all contexts have in common.
void add_common_params(const ContextOptions& options, llama_context_params& params);

// What the model and such a context take, measured on the model's outline, so also of a model
// without weights. Nothing of it is allocated, but for the states of a few sequences of a recurrent
// model, and the outputs of one batch. Throws as the context would; ERR_DISPOSED once `goes_on`
// returns false.
MemoryBreakdown measure_context(const Model& model, const ContextOptions& options,
                                const std::function<bool()>& goes_on);

// What the checkpoints of such a context take of the process's memory at most. As above, and as
// long.
uint64_t measure_checkpoints(const Model& model, const ContextOptions& options,
                             const std::function<bool()>& goes_on);

}  // namespace cria
