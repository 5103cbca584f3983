#include "binding/news.h"

#include "binding/arguments.h"

namespace cria::binding {

namespace {

const char* name_of(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
      return "end-of-text";
    case StopReason::kEndOfTurn:
      return "end-of-turn";
    case StopReason::kEndOfMessage:
      return "end-of-message";
    case StopReason::kStopString:
      return "stop-string";
    case StopReason::kMaxTokens:
      return "max-tokens";
    case StopReason::kContextFull:
      return "context-full";
    case StopReason::kCancelled:
      break;
  }
  return "cancelled";
}

Napi::Object to_js(Napi::Env env, const Finish& finish) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("stopReason", name_of(finish.reason));
  result.Set("stopToken", finish.stop_token);
  result.Set("stopString", finish.stop_string
                               ? Napi::Value(Napi::String::New(env, *finish.stop_string))
                               : env.Null());
  result.Set("promptTokens", finish.prompt_tokens);
  result.Set("cachedTokens", finish.cached_tokens);
  result.Set("completionTokens", finish.completion_tokens);
  if (finish.drafts) {
    Napi::Object drafts = Napi::Object::New(env);
    drafts.Set("proposed", finish.drafts->proposed);
    drafts.Set("accepted", finish.drafts->accepted);
    result.Set("drafts", drafts);
  }
  result.Set("queuedMs", finish.queued_ms);
  result.Set("promptMs", finish.prompt_ms);
  result.Set("generationMs", finish.generation_ms);
  return result;
}

Napi::Object to_js(Napi::Env env, const Answer& answer) {
  Napi::Object object = Napi::Object::New(env);
  if (answer.cancelled) object.Set("cancelled", true);
  if (answer.sequence >= 0) object.Set("sequence", answer.sequence);
  if (answer.token != LLAMA_TOKEN_NULL) object.Set("token", answer.token);
  if (answer.tokens) object.Set("tokens", from_tokens(env, *answer.tokens));
  if (answer.count >= 0) object.Set("count", answer.count);
  if (answer.cached >= 0) object.Set("cached", answer.cached);
  if (answer.values) object.Set("values", from_floats(env, *answer.values));
  return object;
}

Napi::Object to_js(Napi::Env env, const std::vector<TokenLogprob>& logprobs) {
  Napi::Int32Array tokens = Napi::Int32Array::New(env, logprobs.size());
  Napi::Float32Array values = Napi::Float32Array::New(env, logprobs.size());
  for (size_t i = 0; i < logprobs.size(); ++i) {
    tokens.Data()[i] = logprobs[i].token;
    values.Data()[i] = logprobs[i].logprob;
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("tokens", tokens);
  object.Set("values", values);
  return object;
}

Napi::Object to_js(Napi::Env env, const Failure& failure) {
  Napi::Object error = Napi::Object::New(env);
  error.Set("code", failure.code);
  error.Set("message", failure.message);
  return error;
}

Napi::Object to_js(Napi::Env env, const News& news) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("id", static_cast<double>(news.id));
  object.Set("text", news.text);
  object.Set("tokens", from_tokens(env, news.tokens));
  if (news.evaluated >= 0) {
    object.Set("evaluated", news.evaluated);
    object.Set("total", news.total);
  }
  if (!news.logprobs.empty()) object.Set("logprobs", to_js(env, news.logprobs));
  if (news.answer) object.Set("answer", to_js(env, *news.answer));
  if (news.finish) object.Set("result", to_js(env, *news.finish));
  if (news.failure) object.Set("error", to_js(env, *news.failure));
  return object;
}

}  // namespace

Napi::Array to_js(Napi::Env env, const std::vector<News>& news) {
  return from_list(env, news, [env](const News& one) { return to_js(env, one); });
}

Napi::Object describe(Napi::Env env, const ContextInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("threads", info.threads);
  object.Set("batchThreads", info.batch_threads);
  object.Set("batchSize", info.batch_size);
  object.Set("microBatchSize", info.micro_batch_size);
  return object;
}

}  // namespace cria::binding
