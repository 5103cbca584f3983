// NativeSamplerStep of lib/internal/native.ts as the core's SamplerStep.
#pragma once

#include <napi.h>

#include <vector>

#include "core/sampling/sampler_step.h"

namespace cria::binding {

SamplerStep to_step(Napi::Value value);

// An array of them.
std::vector<SamplerStep> to_steps(Napi::Value value);

}  // namespace cria::binding
