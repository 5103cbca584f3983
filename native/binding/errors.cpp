#include "errors.h"

namespace cria::binding {

Napi::Error to_js(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

}  // namespace cria::binding
