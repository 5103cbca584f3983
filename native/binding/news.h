// The news of the core as objects of lib/internal/native.ts.
#pragma once

#include <napi.h>

#include <vector>

#include "core/engine/context.h"
#include "core/request/outbox.h"

namespace cria::binding {

Napi::Array to_js(Napi::Env env, const std::vector<News>& news);
Napi::Object describe(Napi::Env env, const ContextInfo& info);

}  // namespace cria::binding
