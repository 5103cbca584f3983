#include "binding/model_info.h"

namespace cria::binding {

namespace {

std::string description_of(const llama_model* model) {
  char text[256];
  const int32_t length = llama_model_desc(model, text, sizeof text);
  return length < 0 ? "" : text;
}

Napi::Object special_tokens_of(Napi::Env env, const Vocabulary& vocabulary) {
  Napi::Object tokens = Napi::Object::New(env);
  tokens.Set("bos", vocabulary.bos());
  tokens.Set("eos", vocabulary.eos());
  tokens.Set("eot", vocabulary.eot());
  tokens.Set("eom", vocabulary.eom());
  return tokens;
}

Napi::Array metadata_of(Napi::Env env, const Model& model) {
  Napi::Array list = Napi::Array::New(env);
  uint32_t next = 0;
  for (const auto& [key, value] : model.metadata()) {
    list.Set(next++, key);
    list.Set(next++, value);
  }
  return list;
}

}  // namespace

Napi::Object describe(Napi::Env env, const Model& model) {
  const llama_model* handle = model.handle();
  const Vocabulary& vocabulary = model.vocabulary();
  const char* chat_template = llama_model_chat_template(handle, nullptr);
  const auto width = static_cast<double>(model.cache_width());

  Napi::Object cache_width = Napi::Object::New(env);
  cache_width.Set("key", width);
  cache_width.Set("value", width);

  Napi::Object info = Napi::Object::New(env);
  info.Set("description", description_of(handle));
  info.Set("architecture", model.metadata("general.architecture"));
  info.Set("parameterCount", static_cast<double>(llama_model_n_params(handle)));
  info.Set("sizeInBytes", static_cast<double>(llama_model_size(handle)));
  info.Set("contextLength", static_cast<double>(model.hyperparameter("context_length")));
  info.Set("positionCount", model.position_count());
  info.Set("embeddingLength", static_cast<double>(model.hyperparameter("embedding_length")));
  info.Set("layerCount", static_cast<double>(model.hyperparameter("block_count")));
  info.Set("fingerprint", model.fingerprint());
  info.Set("vocabularySize", vocabulary.size());
  info.Set("metadata", metadata_of(env, model));
  info.Set("chatTemplate", chat_template == nullptr
                               ? env.Null()
                               : Napi::Value(Napi::String::New(env, chat_template)));
  info.Set("specialTokens", special_tokens_of(env, vocabulary));
  info.Set("addsBos", llama_vocab_get_add_bos(vocabulary.handle()));
  info.Set("generates", model.generates());
  info.Set("cacheWidth", cache_width);
  return info;
}

}  // namespace cria::binding
