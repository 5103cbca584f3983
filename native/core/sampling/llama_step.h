// One step of a sampler as llama.cpp's own.
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

// Nothing for a grammar, which GrammarFilter is for. Throws ERR_INVALID_ARGUMENT for a token that
// the vocabulary does not have and ERR_UNSUPPORTED for a step that this model has no use for.
LlamaSampler make_llama_step(const Vocabulary& vocabulary, const SamplerStep& step, uint32_t seed);

}  // namespace cria
