// From C++ exceptions to JS errors: an Error with the code of cria::Error. lib/errors.ts makes a
// CriaError of it.
#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "core/backend.h"
#include "core/error.h"

namespace cria::binding {

Napi::Error to_js(Napi::Env env, const char* code, const std::string& message);
inline Napi::Error to_js(Napi::Env env, const Error& error) {
  return to_js(env, error.code(), error.what());
}

// Every entry from JS runs its body through this: nothing but a Napi::Error leaves it, and a failed
// assertion of ggml is one, too.
template <typename Body>
auto entry(Napi::Env env, Body&& body) -> decltype(body()) {
  const backend::AbortGuard guard;
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const Error& error) {
    throw to_js(env, error);
  } catch (const std::bad_alloc&) {
    throw to_js(env, code::kOutOfMemory, "Not enough memory.");
  } catch (const std::exception& error) {
    throw to_js(env, code::kInternal, error.what());
  }
}

}  // namespace cria::binding
