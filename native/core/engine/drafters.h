// Opens those who guess for a context: each has a context of its own, on its own weights.
#pragma once

#include <ggml.h>
#include <llama.h>

#include <functional>
#include <memory>

#include "core/model/model.h"
#include "core/request/context_options.h"
#include "core/speculation/draft_head.h"
#include "core/speculation/draft_model.h"

namespace cria {

// Whom they guess for.
struct DrafterHost {
  const Model& model;
  const ContextOptions& options;
  llama_context* context;
  // Their evaluations are stopped when this says so.
  ggml_abort_callback should_abort;
  void* should_abort_data;
  std::function<void(llama_context*)> attach_threads;
};

// All throw ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED or ERR_MODEL_INVALID where it cannot guess for
// that model, and what create_llama_context() throws.
std::unique_ptr<DraftModel> open_draft_model(const DrafterHost& host,
                                             const std::shared_ptr<Model>& draft);
std::unique_ptr<DraftHead> open_eagle3(const DrafterHost& host, const std::shared_ptr<Model>& head);
// `model`: the host's.
std::unique_ptr<DraftHead> open_mtp(const DrafterHost& host, const std::shared_ptr<Model>& model);

// Throws ERR_MODEL_INVALID for a head that ggml cannot compute. Threads of the pools may then still
// be at it: it has to live on until these have ended.
void try_out(DraftHead& head);

// What one guess takes, as a share of a token of the model's own: by the weights that are read.
// `draft`: null for the model's own layers.
double cost_of_guess(const Model& model, const Model* draft);

}  // namespace cria
