#include "binding/context.h"

#include "binding/arguments.h"
#include "binding/errors.h"
#include "binding/request.h"

namespace cria::binding {

namespace {

// llama.cpp's LLAMA_MAX_SEQ and GGML_MAX_N_THREADS: beyond them it asserts.
constexpr int32_t kMostSequences = 256;
constexpr int32_t kMostThreads = 512;
constexpr int32_t kMostDrafted = 63;

// For embeddings: so that no sum of these is out of range.
constexpr int32_t kLongestText = 1 << 24;
constexpr int32_t kMostTogether = 1 << 16;

void expect_range(int64_t value, int64_t low, int64_t high, const char* name) {
  if (value >= low && value <= high) return;
  throw Error(code::kInvalidArgument, "Expected `" + std::string(name) + "` from " +
                                          std::to_string(low) + " to " + std::to_string(high) +
                                          ", got " + std::to_string(value) + ".");
}

ggml_type to_cache_type(const Fields& fields, const char* name) {
  // Only these: ggml crashes or asserts with others.
  return fields.choice<ggml_type>(name, {{"f32", GGML_TYPE_F32},
                                         {"f16", GGML_TYPE_F16},
                                         {"bf16", GGML_TYPE_BF16},
                                         {"q8_0", GGML_TYPE_Q8_0},
                                         {"q5_1", GGML_TYPE_Q5_1},
                                         {"q5_0", GGML_TYPE_Q5_0},
                                         {"q4_1", GGML_TYPE_Q4_1},
                                         {"q4_0", GGML_TYPE_Q4_0},
                                         {"iq4_nl", GGML_TYPE_IQ4_NL}});
}

std::vector<ControlVector> to_control_vectors(Napi::Value value) {
  const Napi::Array array = to_array(value, "controlVectors");
  std::vector<ControlVector> vectors;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Fields fields(to_object(array.Get(i), "controlVectors"));
    vectors.push_back({fields.text("path"), fields.real("scale"), fields.integer("firstLayer"),
                       fields.integer("lastLayer")});
  }
  return vectors;
}

}  // namespace

ContextOptions to_context_options(Napi::Value value) {
  constexpr int64_t kMost = INT32_MAX;
  constexpr int64_t kMostExact = (int64_t{1} << 53) - 1;  // integers that a JS number holds
  const Fields fields(to_object(value, "options"));
  ContextOptions options;
  options.context_size = fields.integer("contextSize");
  options.sequences = fields.integer("sequences");
  options.unified_kv_cache =
      fields.choice<bool>("kvCache", {{"per-sequence", false}, {"unified", true}});
  options.kv_cache_size = fields.integer("kvCacheSize");
  options.swa_full = fields.flag("swaFull");
  options.checkpoint_bytes = static_cast<uint64_t>(fields.number("checkpointMemory"));
  options.batch_size = fields.integer("batchSize");
  options.micro_batch_size = fields.integer("microBatchSize");
  options.drafted_tokens = fields.integer("draftedTokens");
  options.guesser = fields.choice<Guesser>("guesser", {{"ngram", Guesser::kNgram},
                                                       {"draft", Guesser::kDraftModel},
                                                       {"eagle3", Guesser::kEagle3},
                                                       {"mtp", Guesser::kMtp}});
  options.takes_forced = fields.flag("takesForced");
  options.threads = fields.integer("threads");
  options.batch_threads = fields.integer("batchThreads");
  options.flash_attention = fields.choice<llama_flash_attn_type>(
      "flashAttention", {{"auto", LLAMA_FLASH_ATTN_TYPE_AUTO},
                         {"on", LLAMA_FLASH_ATTN_TYPE_ENABLED},
                         {"off", LLAMA_FLASH_ATTN_TYPE_DISABLED}});
  options.kv_cache_type_key = to_cache_type(fields, "kvCacheTypeKey");
  options.kv_cache_type_value = to_cache_type(fields, "kvCacheTypeValue");
  options.rope_frequency_base = fields.real("ropeFrequencyBase");
  options.rope_frequency_scale = fields.real("ropeFrequencyScale");
  options.embeddings = fields.flag("embeddings");
  options.pooling = fields.choice<Pooling>("pooling", {{"none", LLAMA_POOLING_TYPE_NONE},
                                                       {"mean", LLAMA_POOLING_TYPE_MEAN},
                                                       {"cls", LLAMA_POOLING_TYPE_CLS},
                                                       {"last", LLAMA_POOLING_TYPE_LAST},
                                                       {"rank", LLAMA_POOLING_TYPE_RANK}});
  options.control_vectors = to_control_vectors(fields.value("controlVectors"));

  expect_range(options.context_size, 1, kMost, "contextSize");
  expect_range(options.sequences, 1, kMostSequences, "sequences");
  if (options.embeddings) {
    expect_range(options.context_size, 1, kLongestText, "contextSize");
    expect_range(options.micro_batch_size, 1, kMostTogether, "microBatchSize");
  } else {
    expect_range(int64_t{options.context_size} * options.sequences, 1, kMost,
                 "contextSize × sequences");
  }
  expect_range(options.kv_cache_size, 1, kMost, "kvCacheSize");
  expect_range(static_cast<int64_t>(options.checkpoint_bytes), 0, kMostExact, "checkpointMemory");
  expect_range(options.batch_size, 1, kMost, "batchSize");
  expect_range(options.micro_batch_size, 1, kMost, "microBatchSize");
  expect_range(options.drafted_tokens, 0, kMostDrafted, "draftedTokens");
  expect_range(options.threads, 0, kMostThreads, "threads");
  expect_range(options.batch_threads, 0, kMostThreads, "batchThreads");
  return options;
}

Napi::Function ContextHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeContext",
      {
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::open>>("open"),
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::submit>>("submit"),
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::command>>("command"),
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::cancel>>("cancel"),
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::stats>>("stats"),
          InstanceMethod<&ContextHandle::guarded<&ContextHandle::close>>("close"),
      });
}

ContextHandle::ContextHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info), session_(std::make_shared<ContextSession>(Environment::of(info.Env()))) {
  entry(info.Env(), [&] { model_ = ModelHandle::session_of(info[0]); });
}

// Called by the garbage collector, or at the end of the environment, which has closed the session
// by then.
ContextHandle::~ContextHandle() { session_->abandon(); }

Napi::Value ContextHandle::open(const Napi::CallbackInfo& info) {
  if (!info[1].IsFunction()) {
    throw Error(code::kInvalidArgument, "Expected a function for `onNews`.");
  }
  const auto on_news = info[1].As<Napi::Function>();
  std::shared_ptr<Model> draft;
  if (!info[2].IsNull()) draft = ModelHandle::session_of(info[2])->model();
  const Napi::Promise promise =
      session_->open(info.Env(), model_->model(), model_->projector(), std::move(draft),
                     to_context_options(info[0]), on_news);
  // The session knows the function weakly: it lives as long as this handle.
  info.This().As<Napi::Object>().DefineProperty(
      Napi::PropertyDescriptor::Value("onNews", on_news, napi_default));
  return promise;
}

Napi::Value ContextHandle::submit(const Napi::CallbackInfo& info) {
  session_->submit(to_request(info[0]));
  return info.Env().Undefined();
}

Napi::Value ContextHandle::command(const Napi::CallbackInfo& info) {
  session_->submit(to_command(info[0], info[1]));
  return info.Env().Undefined();
}

Napi::Value ContextHandle::cancel(const Napi::CallbackInfo& info) {
  session_->cancel(to_integer(info[0], "id"));
  return info.Env().Undefined();
}

Napi::Value ContextHandle::stats(const Napi::CallbackInfo& info) {
  return session_->stats(info.Env());
}

Napi::Value ContextHandle::close(const Napi::CallbackInfo& info) {
  return session_->close(info.Env());
}

}  // namespace cria::binding
