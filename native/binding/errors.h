// Turns C++ exceptions into JS errors with a code, of which lib/internal/errors.ts makes
// CriaErrors.
#pragma once

#include <napi.h>

#include <string>

#include "core/model/backend.h"
#include "core/model/error.h"

namespace cria::binding {

Napi::Error to_js(Napi::Env env, const Failure& failure);

// Every entry from JS runs its body in this: nothing but a Napi::Error leaves it, even after a
// failed assertion of ggml.
template <typename Body>
auto entry(Napi::Env env, Body&& body) -> decltype(body()) {
  const backend::AbortGuard guard;
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw to_js(env, current_failure());
  }
}

}  // namespace cria::binding
