// A loaded model as NativeModelInfo of lib/internal/native.ts.
#pragma once

#include <napi.h>

#include "core/model/model.h"

namespace cria::binding {

Napi::Object describe(Napi::Env env, const Model& model);

}  // namespace cria::binding
