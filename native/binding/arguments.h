// Reads values as declared in lib/internal/native.ts. TypeScript has validated them; a wrong type
// here is our own mistake, and gives ERR_INVALID_ARGUMENT, never a crash.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/vocabulary.h"

namespace cria::binding {

std::string to_text(Napi::Value value, const char* name);
bool to_flag(Napi::Value value, const char* name);
double to_number(Napi::Value value, const char* name);
int64_t to_integer(Napi::Value value, const char* name);  // a safe integer
int32_t to_int32(Napi::Value value, const char* name);
Tokens to_tokens(Napi::Value value, const char* name);
Napi::Array to_array(Napi::Value value, const char* name);
Napi::Object to_object(Napi::Value value, const char* name);

Napi::Int32Array from_tokens(Napi::Env env, const Tokens& tokens);
Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& floats);

template <typename List, typename Make>
Napi::Array from_list(Napi::Env env, const List& list, const Make& make) {
  Napi::Array array = Napi::Array::New(env, list.size());
  uint32_t next = 0;
  for (const auto& one : list)
    array.Set(next++, make(one));
  return array;
}
// NativeDevice[] of lib/internal/native.ts.
Napi::Array from_devices(Napi::Env env, const std::vector<backend::Device>& devices);
Napi::Array from_texts(Napi::Env env, const std::vector<std::string>& texts);

// The fields of an options object.
class Fields {
 public:
  explicit Fields(Napi::Object object) : object_(object) {}

  Napi::Value value(const char* name) const { return object_.Get(name); }
  std::string text(const char* name) const { return to_text(value(name), name); }
  bool flag(const char* name) const { return to_flag(value(name), name); }
  double number(const char* name) const { return to_number(value(name), name); }
  float real(const char* name) const { return static_cast<float>(number(name)); }
  int32_t integer(const char* name) const { return to_int32(value(name), name); }
  std::vector<std::string> texts(const char* name) const;

  // The value of the choice that the object names.
  template <typename T, size_t count>
  T choice(const char* name, const std::pair<const char*, T> (&choices)[count]) const {
    const std::string given = text(name);
    for (const auto& [spelling, chosen] : choices) {
      if (given == spelling) return chosen;
    }
    throw Error(code::kInvalidArgument, "Unknown value \"" + given + "\" for `" + name + "`.");
  }

 private:
  Napi::Object object_;
};

}  // namespace cria::binding
