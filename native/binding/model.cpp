#include "binding/model.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "binding/adapter.h"
#include "binding/arguments.h"
#include "binding/chat_template.h"
#include "binding/context.h"
#include "binding/errors.h"
#include "binding/request.h"
#include "core/engine/context_params.h"
#include "core/media/projector.h"
#include "core/model/backend.h"
#include "core/model/model_params.h"
#include "core/model/remote_worker.h"
#include "core/model/token_watch.h"

namespace cria::binding {

namespace {

// napi_unwrap does not check the class of a wrapped object: this tag does.
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
  options.worker_silence =
      std::chrono::milliseconds(static_cast<int64_t>(fields.number("workerTimeout")));
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
  options.mtp = fields.flag("mtp");
  const Napi::Object overrides = to_object(fields.value("metadataOverrides"), "metadataOverrides");
  const Napi::Array keys = overrides.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const std::string key = to_text(keys.Get(i), "metadataOverrides");
    options.metadata_overrides.push_back(to_override(key, overrides.Get(key)));
  }
  return options;
}

constexpr size_t kLongText = size_t{1} << 16;

struct TokenizeOptions {
  bool special;
  bool add_bos;
};

Tokens tokens_of(const Vocabulary& vocabulary, const std::string& text, TokenizeOptions options) {
  Tokens tokens = vocabulary.tokenize(text, options.special);
  const bool bos = options.add_bos && vocabulary.bos() != LLAMA_TOKEN_NULL;
  if (bos) tokens.insert(tokens.begin(), vocabulary.bos());
  return tokens;
}

ModelWork::Job tokenize_job(std::shared_ptr<Model> model, std::string text,
                            TokenizeOptions options) {
  return [model = std::move(model), text = std::move(text), options](const ModelWork::Stop& stop) {
    const TokenWatch watch([&](const TokenWatch::Progress&) { return !stop.load(); });
    const auto tokens =
        std::make_shared<const Tokens>(tokens_of(model->vocabulary(), text, options));
    return [tokens](Napi::Env env) -> Napi::Value { return from_tokens(env, *tokens); };
  };
}

// NativeMemory of lib/internal/native.ts.
Napi::Object from_memory(Napi::Env env, const MemoryBreakdown& memory,
                         const std::vector<uint64_t>& free, uint64_t checkpoints,
                         int32_t gpu_layers) {
  uint32_t next = 0;
  Napi::Object result = Napi::Object::New(env);
  result.Set("gpuLayers", gpu_layers);
  result.Set("checkpoints", static_cast<double>(checkpoints));
  result.Set("devices", from_list(env, memory, [&](const DeviceMemory& one) {
               Napi::Object device = Napi::Object::New(env);
               device.Set("name", shown_name(one.device));
               device.Set("type", backend::type_name(one.device));
               device.Set("model", static_cast<double>(one.model));
               device.Set("kvCache", static_cast<double>(one.cache));
               device.Set("compute", static_cast<double>(one.compute));
               device.Set("memoryFree", static_cast<double>(free[next++]));
               return device;
             }));
  return result;
}

ModelWork::Job measure_job(std::shared_ptr<Model> model, const ContextOptions& options) {
  return [model = std::move(model), options](const ModelWork::Stop& stop) {
    const auto goes_on = [&] { return !stop.load(); };
    const auto memory =
        std::make_shared<const MemoryBreakdown>(measure_context(*model, options, goes_on));
    const uint64_t checkpoints = measure_checkpoints(*model, options, goes_on);
    const int32_t gpu_layers = model->outline(goes_on).options().gpu_layers;
    // Here, since a worker has to be asked over the network.
    std::vector<uint64_t> free;
    for (const DeviceMemory& one : *memory)
      free.push_back(free_memory(one.device));
    return [memory, free, checkpoints, gpu_layers](Napi::Env env) -> Napi::Value {
      return from_memory(env, *memory, free, checkpoints, gpu_layers);
    };
  };
}

ModelWork::Job measure_projector_job(std::shared_ptr<Model> model, std::string path) {
  return [model = std::move(model), path = std::move(path)](const ModelWork::Stop& stop) {
    const auto memory = std::make_shared<const ProjectorMemory>(
        measure_projector(path, model->may_use_gpu(), [&] { return !stop.load(); }));
    return [memory](Napi::Env env) -> Napi::Value {
      return from_list(env, *memory, [&](const ProjectorMemory::value_type& one) {
        Napi::Object device = Napi::Object::New(env);
        device.Set("name", shown_name(one.first));
        device.Set("bytes", static_cast<double>(one.second));
        return device;
      });
    };
  };
}

ModelWork::Job media_rows_job(std::shared_ptr<Projector> projector, Media media) {
  return [projector = std::move(projector), media = std::move(media)](const ModelWork::Stop& stop) {
    const size_t rows = projector->rows(media, [&] { return !stop.load(); });
    return [rows](Napi::Env env) -> Napi::Value {
      return Napi::Number::New(env, static_cast<double>(rows));
    };
  };
}

}  // namespace

Napi::Function ModelHandle::define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::load>>("load"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::tokenize>>("tokenize"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::detokenize>>("detokenize"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::token_id>>("tokenId"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::is_end_of_generation>>(
              "isEndOfGeneration"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::render_template>>("renderTemplate"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_render>>("startRender"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_format>>("startFormat"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::open_answer>>("openAnswer"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_answer>>("startAnswer"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::end_answer>>("endAnswer"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_tokenize>>("startTokenize"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_measure>>("startMeasure"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_measure_projector>>(
              "startMeasureProjector"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_media_rows>>("startMediaRows"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::start_adapter>>("startAdapter"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::release_adapter>>("releaseAdapter"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::cancel_work>>("cancelWork"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::close_work>>("closeWork"),
          InstanceMethod<&ModelHandle::guarded<&ModelHandle::close>>("close"),
      });
}

const std::shared_ptr<ModelSession>& ModelHandle::session_of(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kModelTag)) {
    throw Error(code::kInvalidArgument, "Expected a NativeModel.");
  }
  return Unwrap(value.As<Napi::Object>())->session_;
}

ModelHandle::ModelHandle(const Napi::CallbackInfo& info)
    : ObjectWrap(info),
      session_(std::make_shared<ModelSession>(Environment::of(info.Env()))),
      work_(std::make_shared<ModelWork>(Environment::of(info.Env()))) {
  info.This().As<Napi::Object>().TypeTag(&kModelTag);
}

// Called by the garbage collector, or at the end of the environment, which has closed the session
// by then.
ModelHandle::~ModelHandle() {
  work_->abandon();
  session_->abandon();
}

Napi::Value ModelHandle::load(const Napi::CallbackInfo& info) {
  const std::string projector =
      to_text(to_object(info[0], "options").Get("projector"), "projector");
  return session_->load(info.Env(), to_options(info[0]), projector, info[1]);
}

Napi::Value ModelHandle::tokenize(const Napi::CallbackInfo& info) {
  const Vocabulary& vocabulary = session_->model()->vocabulary();
  const std::string text = to_text(info[0], "text");
  const TokenizeOptions options{to_flag(info[1], "special"), to_flag(info[2], "addBos")};
  return from_tokens(info.Env(), tokens_of(vocabulary, text, options));
}

Napi::Value ModelHandle::detokenize(const Napi::CallbackInfo& info) {
  const Vocabulary& vocabulary = session_->model()->vocabulary();
  const Tokens tokens = to_tokens(info[0], "tokens");
  return Napi::String::New(info.Env(), vocabulary.detokenize(tokens, to_flag(info[1], "special")));
}

Napi::Value ModelHandle::token_id(const Napi::CallbackInfo& info) {
  const Vocabulary& vocabulary = session_->model()->vocabulary();
  return Napi::Number::New(info.Env(), vocabulary.by_text(to_text(info[0], "text")));
}

Napi::Value ModelHandle::is_end_of_generation(const Napi::CallbackInfo& info) {
  const Vocabulary& vocabulary = session_->model()->vocabulary();
  return Napi::Boolean::New(info.Env(), vocabulary.ends_generation(to_int32(info[0], "token")));
}

Napi::Value ModelHandle::render_template(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Model> model = session_->model();
  return binding::render_template(info.Env(), templates_, model->vocabulary(), info[0]);
}

Napi::Value ModelHandle::start_render(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kTemplates,
                      render_job(session_->model(), work_templates_, info[1]));
}

Napi::Value ModelHandle::start_format(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kTemplates,
                      format_job(session_->model(), work_templates_, info[1]));
}

Napi::Value ModelHandle::open_answer(const Napi::CallbackInfo& info) {
  return binding::open_answer(info.Env(), info[0]);
}

Napi::Value ModelHandle::start_answer(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kTemplates,
                      answer_job(info[1], info[2]));
}

Napi::Value ModelHandle::end_answer(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kTemplates,
                      answer_end_job(info[1], info[2]));
}

Napi::Value ModelHandle::start_tokenize(const Napi::CallbackInfo& info) {
  TokenizeOptions options{to_flag(info[2], "special"), to_flag(info[3], "addBos")};
  std::string text = to_text(info[1], "text");
  const WorkLane lane = text.size() > kLongText ? WorkLane::kLongTexts : WorkLane::kShortTexts;
  return work_->start(info.Env(), to_integer(info[0], "id"), lane,
                      tokenize_job(session_->model(), std::move(text), options));
}

Napi::Value ModelHandle::start_measure(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kMeasuring,
                      measure_job(session_->model(), to_context_options(info[1])));
}

Napi::Value ModelHandle::start_measure_projector(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kMeasuring,
                      measure_projector_job(session_->model(), to_text(info[1], "path")));
}

Napi::Value ModelHandle::start_media_rows(const Napi::CallbackInfo& info) {
  if (session_->projector() == nullptr) {
    throw Error(code::kUnsupported, "The model was loaded without a projector.");
  }
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kMedia,
                      media_rows_job(session_->projector(), to_media(info[1])));
}

Napi::Value ModelHandle::start_adapter(const Napi::CallbackInfo& info) {
  return work_->start(info.Env(), to_integer(info[0], "id"), WorkLane::kAdapters,
                      load_adapter_job(session_->model(), to_text(info[1], "path")));
}

Napi::Value ModelHandle::release_adapter(const Napi::CallbackInfo& info) {
  binding::release_adapter(info.Env(), info[0]);
  return info.Env().Undefined();
}

Napi::Value ModelHandle::cancel_work(const Napi::CallbackInfo& info) {
  work_->cancel(to_integer(info[0], "id"));
  return info.Env().Undefined();
}

Napi::Value ModelHandle::close_work(const Napi::CallbackInfo& info) {
  return work_->close(info.Env());
}

Napi::Value ModelHandle::close(const Napi::CallbackInfo& info) {
  return session_->close(info.Env());
}

}  // namespace cria::binding
