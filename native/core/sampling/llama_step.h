// One step of a sampler as a sampler of llama.cpp.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>

#include "core/model/vocabulary.h"
#include "core/sampling/sampler_step.h"

namespace cria {

struct FreeLlamaSampler {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};
using LlamaSampler = std::unique_ptr<llama_sampler, FreeLlamaSampler>;

// Null for a grammar, which is GrammarFilter's. Throws ERR_INVALID_ARGUMENT for a token that is not
// in the vocabulary, and ERR_UNSUPPORTED for a step that does not work with this model. Any thread.
LlamaSampler make_llama_step(const Vocabulary& vocabulary, const SamplerStep& step, uint32_t seed);

}  // namespace cria
