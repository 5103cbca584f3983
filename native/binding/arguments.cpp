#include "binding/arguments.h"

#include <algorithm>
#include <cmath>

namespace cria::binding {

namespace {

void expect(bool condition, const char* what, const char* name) {
  if (condition) return;
  throw Error(code::kInvalidArgument, std::string("Expected ") + what + " for `" + name + "`.");
}

}  // namespace

std::string to_text(Napi::Value value, const char* name) {
  expect(value.IsString(), "a string", name);
  return value.As<Napi::String>().Utf8Value();
}

bool to_flag(Napi::Value value, const char* name) {
  expect(value.IsBoolean(), "a boolean", name);
  return value.As<Napi::Boolean>().Value();
}

double to_number(Napi::Value value, const char* name) {
  expect(value.IsNumber(), "a number", name);
  return value.As<Napi::Number>().DoubleValue();
}

int64_t to_integer(Napi::Value value, const char* name) {
  constexpr double kMost = 9007199254740991.0;  // Number.MAX_SAFE_INTEGER
  const double number = to_number(value, name);
  expect(std::abs(number) <= kMost && std::trunc(number) == number, "an integer", name);
  return static_cast<int64_t>(number);
}

int32_t to_int32(Napi::Value value, const char* name) {
  const int64_t integer = to_integer(value, name);
  const auto narrow = static_cast<int32_t>(integer);
  expect(narrow == integer, "an integer of 32 bits", name);
  return narrow;
}

Tokens to_tokens(Napi::Value value, const char* name) {
  const bool tokens =
      value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array;
  expect(tokens, "an Int32Array", name);
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Napi::Array to_array(Napi::Value value, const char* name) {
  expect(value.IsArray(), "an array", name);
  return value.As<Napi::Array>();
}

Napi::Object to_object(Napi::Value value, const char* name) {
  expect(value.IsObject(), "an object", name);
  return value.As<Napi::Object>();
}

Napi::Int32Array from_tokens(Napi::Env env, const Tokens& tokens) {
  Napi::Int32Array array = Napi::Int32Array::New(env, tokens.size());
  std::copy(tokens.begin(), tokens.end(), array.Data());
  return array;
}

Napi::Float32Array from_floats(Napi::Env env, const std::vector<float>& floats) {
  auto array = Napi::Float32Array::New(env, floats.size());
  std::copy(floats.begin(), floats.end(), array.Data());
  return array;
}

Napi::Array from_devices(Napi::Env env, const std::vector<backend::Device>& devices) {
  return from_list(env, devices, [env](const backend::Device& device) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", device.name);
    object.Set("description", device.description);
    object.Set("type", device.type);
    object.Set("memoryTotal", static_cast<double>(device.memory_total));
    object.Set("memoryFree", static_cast<double>(device.memory_free));
    return object;
  });
}

Napi::Array from_texts(Napi::Env env, const std::vector<std::string>& texts) {
  return from_list(env, texts, [&](const auto& text) { return Napi::String::New(env, text); });
}

std::vector<std::string> Fields::texts(const char* name) const {
  const Napi::Array array = to_array(value(name), name);
  std::vector<std::string> texts;
  for (uint32_t i = 0; i < array.Length(); ++i)
    texts.push_back(to_text(array.Get(i), name));
  return texts;
}

}  // namespace cria::binding
