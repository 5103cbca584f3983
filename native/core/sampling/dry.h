// The DRY step. llama.cpp looks for its breakers in every token of the vocabulary, 36 ms with 128K
// of them, which no generation should have to wait for twice.
#pragma once

#include "core/sampling/llama_step.h"

namespace cria {

// From any thread.
LlamaSampler make_dry(const Vocabulary& vocabulary, const step::Dry& step);

}  // namespace cria
