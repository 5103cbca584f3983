// Sampler steps of lib/native.ts for the core.
#pragma once

#include <napi.h>

#include <vector>

#include "core/sampler_step.h"

namespace cria::binding {

SamplerStep to_step(Napi::Value value);
std::vector<SamplerStep> to_steps(Napi::Value value);

}  // namespace cria::binding
