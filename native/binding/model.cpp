#include "model.h"

#include <utility>

#include "binding/arguments.h"
#include "binding/chat_template.h"
#include "binding/errors.h"

namespace cria::binding {

namespace {

// napi_unwrap takes any wrapped object for the one it is asked for: this tells them apart.
constexpr napi_type_tag kModelTag = {0x63726961'6d6f6465, 0x9e3779b97f4a7c15};

MetadataOverride to_override(const std::string& key, Napi::Value value) {
  if (value.IsBoolean()) return {key, to_flag(value, "metadataOverrides")};
  if (value.IsString()) return {key, to_text(value, "metadataOverrides")};
  const double number = to_number(value, "metadataOverrides");
  const auto integer = static_cast<int64_t>(number);
  if (static_cast<double>(integer) == number) return {key, integer};
  return {key, number};
}

ModelOptions to_options(Napi::Value value) {
  const Fields fields(to_object(value, "options"));
  ModelOptions options;
  options.path = fields.text("path");
  options.gpu_layers = fields.integer("gpuLayers");
  options.devices = fields.texts("devices");
  options.split_mode =
      fields.choice<llama_split_mode>("splitMode", {{"none", LLAMA_SPLIT_MODE_NONE},
                                                    {"layer", LLAMA_SPLIT_MODE_LAYER},
                                                    {"tensor", LLAMA_SPLIT_MODE_TENSOR}});
  const Napi::Array split = to_array(fields.value("tensorSplit"), "tensorSplit");
  for (uint32_t i = 0; i < split.Length(); ++i) {
    options.tensor_split.push_back(static_cast<float>(to_number(split.Get(i), "tensorSplit")));
  }
  options.main_gpu = fields.integer("mainGpu");
  options.mmap = fields.flag("mmap");
  options.mlock = fields.flag("mlock");
  options.check_tensors = fields.flag("checkTensors");
  options.vocab_only = fields.flag("vocabOnly");
  const Napi::Object overrides = to_object(fields.value("metadataOverrides"), "metadataOverrides");
  const Napi::Array keys = overrides.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = to_text(keys.Get(i), "metadataOverrides");
    options.metadata_overrides.push_back(to_override(key, overrides.Get(key)));
  }
  return options;
}

}  // namespace

Napi::Function ModelHandle::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {
                         InstanceMethod<&ModelHandle::load>("load"),
                         InstanceMethod<&ModelHandle::tokenize>("tokenize"),
                         InstanceMethod<&ModelHandle::detokenize>("detokenize"),
                         InstanceMethod<&ModelHandle::token_id>("tokenId"),
                         InstanceMethod<&ModelHandle::is_end_of_generation>("isEndOfGeneration"),
                         InstanceMethod<&ModelHandle::render_template>("renderTemplate"),
                         InstanceMethod<&ModelHandle::template_format>("templateFormat"),
                         InstanceMethod<&ModelHandle::close>("close"),
                     });
}

const std::shared_ptr<ModelSession>& ModelHandle::session_of(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kModelTag)) {
    throw Error(code::kInvalidArgument, "Expected a NativeModel.");
  }
  return Unwrap(value.As<Napi::Object>())->session_;
}

ModelHandle::ModelHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), session_(std::make_shared<ModelSession>(Environment::of(info.Env()))) {
  info.This().As<Napi::Object>().TypeTag(&kModelTag);
}

// The collector's doing, or the end of the environment, which has closed the session by then.
ModelHandle::~ModelHandle() { session_->abandon(); }

Napi::Value ModelHandle::load(const Napi::CallbackInfo& info) {
  return entry(info.Env(),
               [&] { return session_->load(info.Env(), to_options(info[0]), info[1]); });
}

Napi::Value ModelHandle::tokenize(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Vocabulary& vocabulary = session_->model()->vocabulary();
    const std::string text = to_text(info[0], "text");
    Tokens tokens = vocabulary.tokenize(text, to_flag(info[1], "special"));
    const bool bos = to_flag(info[2], "addBos") && vocabulary.bos() != LLAMA_TOKEN_NULL;
    if (bos) tokens.insert(tokens.begin(), vocabulary.bos());
    return from_tokens(info.Env(), tokens);
  });
}

Napi::Value ModelHandle::detokenize(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Vocabulary& vocabulary = session_->model()->vocabulary();
    const Tokens tokens = to_tokens(info[0], "tokens");
    return Napi::String::New(info.Env(),
                             vocabulary.detokenize(tokens, to_flag(info[1], "special")));
  });
}

Napi::Value ModelHandle::token_id(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Vocabulary& vocabulary = session_->model()->vocabulary();
    return Napi::Number::New(info.Env(), vocabulary.by_text(to_text(info[0], "text")));
  });
}

Napi::Value ModelHandle::is_end_of_generation(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Vocabulary& vocabulary = session_->model()->vocabulary();
    return Napi::Boolean::New(info.Env(), vocabulary.ends_generation(to_int32(info[0], "token")));
  });
}

Napi::Value ModelHandle::render_template(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const std::shared_ptr<Model> model = session_->model();
    return binding::render_template(info.Env(), templates_, model->vocabulary(), info[0]);
  });
}

Napi::Value ModelHandle::template_format(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const std::shared_ptr<Model> model = session_->model();
    return binding::template_format(info.Env(), templates_, model->vocabulary(), info[0]);
  });
}

Napi::Value ModelHandle::close(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] { return session_->close(info.Env()); });
}

}  // namespace cria::binding
