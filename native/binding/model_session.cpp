#include <new>
#include <string>
#include <utility>

#include "binding/device_opening.h"
#include "binding/errors.h"
#include "binding/model.h"

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

Napi::Object infill_tokens_of(Napi::Env env, const llama_vocab* vocabulary) {
  Napi::Object tokens = Napi::Object::New(env);
  tokens.Set("prefix", llama_vocab_fim_pre(vocabulary));
  tokens.Set("suffix", llama_vocab_fim_suf(vocabulary));
  tokens.Set("middle", llama_vocab_fim_mid(vocabulary));
  tokens.Set("repository", llama_vocab_fim_rep(vocabulary));
  tokens.Set("file", llama_vocab_fim_sep(vocabulary));
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

// NativeModelInfo of lib/internal/native.ts.
Napi::Object describe(Napi::Env env, const Model& model, const Projector* projector) {
  const llama_model* handle = model.handle();
  const Vocabulary& vocabulary = model.vocabulary();
  const char* chat_template = llama_model_chat_template(handle, nullptr);

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
  info.Set("infillTokens", infill_tokens_of(env, vocabulary.handle()));
  info.Set("addsBos", llama_vocab_get_add_bos(vocabulary.handle()));
  info.Set("generates", model.generates());
  info.Set("sees", projector != nullptr && projector->sees());
  info.Set("hears", projector != nullptr && projector->hears());
  info.Set("projectorFingerprint", projector != nullptr ? projector->fingerprint() : "");
  return info;
}

}  // namespace

ModelSession::ModelSession(Environment& environment)
    : environment_(environment), mailbox_(environment.mailbox()) {}

const std::shared_ptr<Model>& ModelSession::model() const {
  if (state_ != State::kLoaded) throw Error(code::kDisposed, "The model is disposed.");
  return model_;
}

Napi::Promise ModelSession::load(Napi::Env env, ModelOptions options, std::string projector,
                                 Napi::Value on_progress) {
  if (state_ != State::kEmpty) {
    throw Error(code::kDisposed, "This handle was loaded or disposed before: make a new one.");
  }
  worker_ = std::make_unique<Worker>();  // first, since it may throw: nothing has changed then
  state_ = State::kLoading;
  loading_.emplace(Napi::Promise::Deferred::New(env));
  const Napi::Promise promise = loading_->Promise();
  if (on_progress.IsFunction()) {
    on_progress_ = Napi::Persistent(on_progress.As<Napi::Function>());
  }
  mailbox_->hold();
  environment_.add(shared_from_this());
  const bool wants_progress = on_progress.IsFunction();
  when_devices_are_open(env, [weak = weak_from_this(), options, projector, wants_progress] {
    const std::shared_ptr<ModelSession> self = weak.lock();
    if (self && self->state_ == State::kLoading) self->run_load(options, projector, wants_progress);
  });
  return promise;
}

void ModelSession::run_load(const ModelOptions& options, const std::string& projector,
                            bool wants_progress) {
  const std::weak_ptr<ModelSession> weak = weak_from_this();
  worker_->post([weak, options, projector, wants_progress, mailbox = mailbox_,
                 progress = progress_] {
    const auto report = [&](float fraction) {
      progress->fraction.store(fraction);
      if (wants_progress && progress->told.exchange(false)) {
        mailbox->post_to(weak, [](ModelSession& self, Napi::Env env) { self.tell_progress(env); });
      }
      return !progress->abort.load();
    };
    const auto fail = [&](const Failure& failure) {
      mailbox->post_to(weak,
                       [failure](ModelSession& self, Napi::Env env) { self.failed(env, failure); });
    };
    try {
      std::shared_ptr<Model> model = Model::load(options, report);
      std::shared_ptr<Projector> eyes;
      if (!projector.empty()) {
        eyes = Projector::load(projector, model, [&] { return !progress->abort.load(); });
      }
      mailbox->post_to(weak, [model, eyes](ModelSession& self, Napi::Env env) {
        self.loaded(env, model, eyes);
      });
    } catch (const Error& error) {
      fail({error.code(), error.what()});
    } catch (...) {
      const Failure reason = current_failure(code::kModelInvalid);
      fail({reason.code, "\"" + options.path + "\" could not be loaded: " + reason.message});
    }
  });
}

void ModelSession::tell_progress(Napi::Env env) {
  progress_->told.store(true);
  if (state_ != State::kLoading || on_progress_.IsEmpty()) return;
  on_progress_.Call({Napi::Number::New(env, progress_->fraction.load())});
}

void ModelSession::loaded(Napi::Env env, std::shared_ptr<Model> model,
                          std::shared_ptr<Projector> projector) {
  // After close() the model is freed together with the task that brought it.
  if (state_ != State::kLoading) return;
  Napi::Value info;
  try {
    info = entry(env, [&] { return describe(env, *model, projector.get()); });
  } catch (const Napi::Error& error) {
    failed(env, {code::kModelInvalid, error.Message()});
    return;
  }
  // A driver may do at its first work what others do when a device is opened.
  [[maybe_unused]] static const bool registered = Environment::stop_first_at_exit();
  on_progress_.Reset();
  model_ = std::move(model);
  projector_ = std::move(projector);
  state_ = State::kLoaded;
  mailbox_->release();
  weight_ = static_cast<int64_t>(llama_model_size(model_->handle()));
  Napi::MemoryManagement::AdjustExternalMemory(env, weight_);
  std::exchange(loading_, std::nullopt)->Resolve(info);
}

void ModelSession::failed(Napi::Env env, const Failure& failure) {
  if (state_ != State::kLoading) return;
  on_progress_.Reset();
  mailbox_->release();
  std::exchange(loading_, std::nullopt)->Reject(to_js(env, failure).Value());
  begin_close();
}

Napi::Promise ModelSession::close(Napi::Env env) {
  Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  if (state_ == State::kEmpty) state_ = State::kClosed;
  if (state_ == State::kClosed) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  if (state_ == State::kLoading) {
    on_progress_.Reset();
    mailbox_->release();
    const char* message = "The model was disposed while it was loading.";
    std::exchange(loading_, std::nullopt)
        ->Reject(to_js(env, Failure{code::kDisposed, message}).Value());
  }
  mailbox_->hold();
  closing_.push_back(deferred);
  begin_close();
  return deferred.Promise();
}

void ModelSession::abandon() {
  if (state_ == State::kLoading || state_ == State::kLoaded) begin_close();
}

// Frees the model on the worker: unmapping gigabytes would block the JS thread for too long.
void ModelSession::begin_close() {
  if (state_ == State::kClosing) return;
  state_ = State::kClosing;
  progress_->abort.store(true);
  worker_->post([model = std::exchange(model_, nullptr),
                 projector = std::exchange(projector_, nullptr), weak = weak_from_this(),
                 mailbox = mailbox_]() mutable {
    projector.reset();
    model.reset();
    mailbox->post_to(weak, [](ModelSession& self, Napi::Env env) { self.closed(env); });
  });
}

void ModelSession::closed(Napi::Env env) {
  const std::shared_ptr<ModelSession> self = shared_from_this();  // until the end of this function
  state_ = State::kClosed;
  worker_.reset();
  environment_.remove(this);
  Napi::MemoryManagement::AdjustExternalMemory(env, -std::exchange(weight_, 0));
  for (const Napi::Promise::Deferred& deferred : std::exchange(closing_, {})) {
    mailbox_->release();
    deferred.Resolve(env.Undefined());
  }
}

void ModelSession::stop() { progress_->abort.store(true); }

bool ModelSession::ends_by(Deadline deadline) {
  return worker_ == nullptr || worker_->stop_by(deadline);
}

void ModelSession::release(bool /*ended*/) {
  state_ = State::kClosed;
  worker_.reset();
  projector_.reset();
  model_.reset();
  on_progress_.Reset();
}

}  // namespace cria::binding
