#include "core/media/projector.h"

#include <ggml-backend.h>
#include <hash/hash.h>
#include <mtmd.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "core/media/encoding.h"
#include "core/media/media_file.h"
#include "core/media/media_token.h"
#include "core/media/projector_check.h"
#include "core/model/backend.h"
#include "core/model/compute_pool.h"
#include "core/model/cpu.h"
#include "core/model/error.h"
#include "core/model/model_files.h"

namespace cria {

namespace {

// Of embeddings that were made before: some hundred pictures of a large model.
constexpr size_t kMostCachedBytes = size_t{256} << 20;

// How long who waits for another encoding is not asked whether to go on.
constexpr std::chrono::milliseconds kBetweenQuestions{20};

// Multiplications between two questions: some ten milliseconds of two cores.
constexpr double kWorkBetweenQuestions = 1e9;

double work_of(const ggml_tensor& node) {
  const auto elements = static_cast<double>(ggml_nelements(&node));
  if (node.op != GGML_OP_MUL_MAT && node.op != GGML_OP_FLASH_ATTN_EXT) return elements;
  const double depth = static_cast<double>(node.src[0]->ne[0]);
  // Attention goes over all keys twice.
  const double keys =
      node.op == GGML_OP_MUL_MAT ? 1 : 2.0 * static_cast<double>(node.src[1]->ne[1]);
  return elements * (node.op == GGML_OP_MUL_MAT ? depth : keys);
}

// Who has it in the cache may be another context, with more room.
void check_room(const MediaExtent& extent, MediaKind kind, const Projector::Room& room) {
  if (extent.together > static_cast<size_t>(room.micro_batch)) {
    throw Error(code::kUnsupported,
                "This model evaluates all " + std::to_string(extent.together) + " rows of the " +
                    name_of(kind) +
                    " together: create the context with `microBatchSize` and `batchSize` of at "
                    "least as many.");
  }
  const auto rows = static_cast<size_t>(std::max(room.rows, 0));
  if (extent.rows <= rows) return;
  throw Error(code::kContextFull,
              std::string("The ") + name_of(kind) + " takes " + std::to_string(extent.rows) +
                  " tokens, more than the " + std::to_string(rows) +
                  " that are left of one prompt. Make it smaller, or create the context with a "
                  "larger `contextSize`.");
}

void log_as_llama_cpp() {
  ggml_log_callback callback = nullptr;
  void* data = nullptr;
  llama_log_get(&callback, &data);
  mtmd_log_set(callback, data);
}

mtmd_context_params context_params(bool use_gpu) {
  mtmd_context_params params = mtmd_context_params_default();
  params.use_gpu = use_gpu;
  params.n_threads = physical_cores();
  params.print_timings = false;
  return params;
}

}  // namespace

ProjectorMemory measure_projector(const std::string& path, bool use_gpu,
                                  const std::function<bool()>& goes_on) {
  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;
  check_projector(path, ModelFiles(path, goes_on));
  const auto memory = mtmd_get_memory_usage(path.c_str(), context_params(use_gpu));
  if (memory.empty()) {
    throw Error(errors.code(code::kModelInvalid),
                "\"" + path + "\" cannot be measured: " +
                    errors.reason("mtmd does not know this kind of file"));
  }
  return {memory.begin(), memory.end()};
}

std::shared_ptr<Projector> Projector::load(const std::string& path, std::shared_ptr<Model> model,
                                           const GoesOn& goes_on) {
  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;
  log_as_llama_cpp();
  const ModelFiles files(path, goes_on);
  check_projector(path, files);

  std::shared_ptr<Projector> projector(new Projector(std::move(model), path));
  projector->fingerprint_ = files.fingerprint();
  mtmd_context_params params = context_params(projector->model_->may_use_gpu());
  params.warmup = false;  // its memory is made for the first picture
  params.cb_eval = on_node;
  params.cb_eval_user_data = projector.get();
  struct Progress {
    const GoesOn& goes_on;
    bool stopped = false;
  } progress{goes_on};
  params.progress_callback_user_data = &progress;
  params.progress_callback = [](float, void* data) {
    auto* self = static_cast<Progress*>(data);
    self->stopped = self->stopped || !self->goes_on();
    return !self->stopped;
  };
  projector->context_ = mtmd_init_from_file(path.c_str(), projector->model_->handle(), params);
  if (progress.stopped) {
    throw Error(code::kDisposed, "The model was disposed while its projector was loading.");
  }
  if (projector->context_ == nullptr) {
    throw Error(errors.code(code::kModelInvalid),
                "\"" + path + "\" cannot be used as a projector of this model: " +
                    errors.reason("mtmd does not know this kind of file"));
  }
  projector->sees_ = mtmd_support_vision(projector->context_);
  projector->hears_ = mtmd_support_audio(projector->context_);
  return projector;
}

Projector::Projector(std::shared_ptr<Model> model, std::string path)
    : model_(std::move(model)), path_(std::move(path)), cache_(kMostCachedBytes) {}

Projector::~Projector() {
  // Leaked after a failure: its graph may be half computed.
  if (!collapse_->failed()) mtmd_free(context_);
}

// On the thread that computes. Where mtmd is told that nobody needs the node, it goes on with the
// next ones in the same graph.
bool Projector::on_node(ggml_tensor* node, bool ask, void* data) {
  auto* self = static_cast<Projector*>(data);
  if (ask) {
    self->work_ += work_of(*node);
    return self->work_ >= kWorkBetweenQuestions;
  }
  self->work_ = 0;
  if (self->goes_on_ != nullptr && !(*self->goes_on_)()) self->stopped_ = true;
  return !self->stopped_;
}

void Projector::check_kind(MediaKind kind) const {
  if (kind == MediaKind::kImage ? sees_ : hears_) return;
  throw Error(code::kUnsupported, "The projector \"" + path_ + "\" takes no " +
                                      (kind == MediaKind::kImage ? "pictures, only sounds."
                                                                 : "sounds, only pictures."));
}

// An assertion of ggml leaves a graph half computed.
void Projector::check_alive() const {
  if (!collapse_->failed()) return;
  throw Error(code::kInternal, "The projector \"" + path_ +
                                   "\" failed, and can no longer be used (" + collapse_->reason() +
                                   "). Load the model anew.");
}

size_t Projector::rows(Media media, const GoesOn& goes_on) {
  const MediaKind kind = media.kind;
  check_kind(kind);
  const std::vector<uint8_t> bytes = media_bytes(std::move(media));
  const std::string key = name_of(kind) + hash_sha256_hex(bytes.data(), bytes.size());
  if (const auto found = cache_.find(key)) return found->extent.rows;
  MediaEncoding encoding(context_, model_->handle());
  return encoding.prepare(kind, bytes, goes_on) ? encoding.extent().rows : 0;
}

std::shared_ptr<const EncodedMedia> Projector::encode(Media media, const Room& room,
                                                      const GoesOn& goes_on) {
  const MediaKind kind = media.kind;
  check_kind(kind);
  const std::vector<uint8_t> bytes = media_bytes(std::move(media));
  const std::string key = name_of(kind) + hash_sha256_hex(bytes.data(), bytes.size());
  if (auto found = cache_.find(key)) {
    check_room(found->extent, kind, room);
    return found;
  }

  MediaEncoding encoding(context_, model_->handle());
  if (!encoding.prepare(kind, bytes, goes_on)) return nullptr;
  check_room(encoding.extent(), kind, room);

  std::unique_lock<std::timed_mutex> lock(encoding_, std::defer_lock);
  while (!lock.try_lock_for(kBetweenQuestions))
    if (!goes_on()) return nullptr;
  // Somebody else may have been at the same one.
  if (auto found = cache_.find(key)) return found;
  check_alive();
  goes_on_ = &goes_on;
  work_ = 0;
  stopped_ = false;
  const std::shared_ptr<void> reset(nullptr, [this](void*) { goes_on_ = nullptr; });
  std::shared_ptr<const EncodedMedia> encoded;
  try {
    const backend::AbortGuard guard(collapse_.get());
    const GraphThreads threads(collapse_);
    encoded =
        encoding.encode(cache_.ids(key, encoding.chunks()), [&] { return !stopped_ && goes_on(); });
  } catch (...) {
    if (!collapse_->failed()) throw;
  }
  check_alive();
  if (encoded) cache_.add(key, encoded);
  return encoded;
}

}  // namespace cria
