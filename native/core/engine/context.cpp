#include "core/engine/context.h"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <sstream>
#include <type_traits>
#include <utility>

#include "core/engine/context_params.h"
#include "core/engine/drafters.h"
#include "core/engine/generation.h"
#include "core/engine/scoring.h"
#include "core/model/backend.h"
#include "core/model/cpu.h"
#include "core/model/hash.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// The smallest tile of a GPU, which costs the same with fewer rows in it.
constexpr int32_t kLeastPieceOfGpus = 32;
constexpr int32_t kUsualTileOfGpus = 64;

// What one more row takes in a batch of few, as a share of the first one: on a CPU measured with 1B
// Q4_K_M on two threads. A GPU reads the weights once for all of them.
constexpr double kRowCost = 0.3;
constexpr double kRowCostOfGpus = 0.05;

// How long the pools' threads may take to notice that the graph was given up.
constexpr std::chrono::seconds kPatience{1};

// How much text is to be tokenized for a command, or read for it: a file may have any size.
size_t work_of(const Command& command) {
  return std::visit(
      [](const auto& what) -> size_t {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, command::Score> ||
                      std::is_same_v<What, command::Evaluate>) {
          return what.prompt.bytes();
        } else if constexpr (std::is_same_v<What, command::Embed>) {
          return what.text.size();
        } else if constexpr (std::is_same_v<What, command::Rank>) {
          return what.query.size() + what.document.size();
        } else if constexpr (std::is_same_v<What, command::Create>) {
          return what.cached ? what.cached->bytes() : 0;
        } else if constexpr (std::is_same_v<What, command::Restore>) {
          return std::numeric_limits<size_t>::max();
        } else {
          return 0;
        }
      },
      command.what);
}

}  // namespace

Context::Context(std::shared_ptr<Model> model, const ContextOptions& options, Events events,
                 std::shared_ptr<Projector> projector, std::shared_ptr<Model> draft)
    : model_(std::move(model)),
      projector_(std::move(projector)),
      draft_(std::move(draft)),
      options_(options),
      events_(std::move(events)),
      outbox_(events_.news),
      thread_([this] { run(); }) {}

Context::~Context() {
  stop();
  thread_.join();
}

bool Context::ends_by(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  return end_.wait_until(lock, deadline, [this] { return ended_; });
}

void Context::submit(const std::shared_ptr<Request>& request) {
  preparer_.post(request->prompt.bytes(), [this, request] {
    prepare(*request, [&]() -> Prepared {
      if (embedder_) {
        throw Error(code::kUnsupported,
                    "This context was created with `embeddings`: it cannot generate.");
      }
      check_adapters(*request->adapters, *model_);
      return std::make_unique<Generation>(model_->vocabulary(), request, prepared(request->prompt),
                                          checkpoints_, draft_rule_);
    });
  });
}

void Context::submit(const std::shared_ptr<Command>& command) {
  preparer_.post(work_of(*command),
                 [this, command] { prepare(*command, [&] { return prepare(command); }); });
}

void Context::interrupt() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    interrupted_.store(true);
  }
  changed_.notify_one();
}

void Context::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_.store(true);
  }
  changed_.notify_one();
}

// The preparer's thread, as save().
void Context::prepare(const Order& order, const std::function<Prepared()>& make) {
  if (stopping_.load()) return;
  const RequestId id = order.id;
  std::optional<Prepared> prepared;
  try {
    const backend::AbortGuard guard;
    // A cancelled order goes on with the tokens that it has so far: the context's thread answers
    // it.
    const TokenWatch watch([&](const TokenWatch::Progress& progress) {
      check_room(progress);
      return !stopping_.load() && !order.cancelled.load();
    });
    prepared = make();
  } catch (...) {
    outbox_.fail(id, current_failure());
  }
  if (!prepared) {
    outbox_.flush();
    return;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    inbox_.push_back(*std::move(prepared));
  }
  changed_.notify_one();
}

// Stops tokenizing a text as soon as it certainly does not fit.
void Context::check_room(const TokenWatch::Progress& progress) const {
  if (progress.tokens <= static_cast<size_t>(options_.context_size)) return;
  throw Error(code::kContextFull,
              "The text has over " + std::to_string(progress.tokens) + " tokens in the first " +
                  std::to_string(progress.bytes) + " of its " + std::to_string(progress.length) +
                  " bytes, more than the " + std::to_string(options_.context_size) +
                  " that one prompt can have. Shorten it, or create the context with a larger "
                  "`contextSize`.");
}

PreparedPrompt Context::prepared(const Prompt& prompt) const {
  const Projector::Room room{options_.context_size, micro_batch_};
  return prepare_prompt(model_->vocabulary(), prompt, projector_.get(), room);
}

Context::Prepared Context::prepare(const std::shared_ptr<Command>& command) {
  if (embedder_) return embedder_->prepare(command);
  const auto& what = command->what;
  if (std::holds_alternative<command::Embed>(what) || std::holds_alternative<command::Rank>(what)) {
    throw Error(code::kUnsupported,
                "This context generates: create one with `embeddings: true` to embed or rank.");
  }
  if (const auto* score = std::get_if<command::Score>(&what)) {
    check_adapters(*score->adapters, *model_);
    return std::make_unique<Scoring>(model_->vocabulary(), command, prepared(score->prompt),
                                     checkpoints_);
  }
  return sequences_->prepare(
      command, [this, &command] { return !stopping_.load() && !command->cancelled.load(); });
}

void Context::save(RequestId id, const std::string& path, StateFile file) {
  try {
    write_state_file(path, file);
    outbox_.answer(id, Answer{});
  } catch (...) {
    outbox_.fail(id, current_failure());
  }
  outbox_.flush();
}

// What has to be the same where a saved state is restored, beside a sequence's adapters: the model,
// what is added to its layers, and how the cache stores it.
// llama.cpp's state of one sequence has an entry for every stream.
uint64_t Context::fingerprint() const {
  std::ostringstream text;
  text << model_->identity() << ' ' << options_.kv_cache_type_key << ' '
       << options_.kv_cache_type_value << ' ' << options_.flash_attention << ' '
       << options_.rope_frequency_base << ' ' << options_.rope_frequency_scale << ' '
       << (options_.unified_kv_cache ? 1
                                     : options_.sequences);  // streams, which llama.cpp compares
  return hash(control_.data(), control_.size() * sizeof(float), hash_of(text.str()));
}

// Everything below runs on the context's thread.

void Context::run() {
  if (open_and_tell()) loop();
  tear_down();
  events_.closed();
  std::lock_guard<std::mutex> lock(mutex_);
  ended_ = true;
  end_.notify_all();
}

bool Context::open_and_tell() {
  try {
    const backend::AbortGuard guard(collapse_.get());
    const ContextInfo info = open();
    events_.opened(info);
    return true;
  } catch (...) {
    const Failure failure = current_failure();
    device_lost_ = failure.code == code::kDeviceLost;
    events_.failed(failure);
    return false;
  }
}

// The pools go first: after a failure, one of their threads may still be leaving a graph that the
// llama_context owns.
void Context::tear_down() {
  preparer_.stop();  // before what it hands over has nowhere to go
  inbox_.clear();
  if (context_) llama_detach_threadpool(context_.get());
  if (drafter_) llama_detach_threadpool(drafter_->context());
  batch_pool_.reset();
  pool_.reset();
  if (breakdown_ && scheduler_) scheduler_->cache().abandon();
  if (device_lost_) leave_behind(std::move(context_));
  if (device_lost_ && drafter_) drafter_->abandon();
  sequences_.reset();
  scheduler_.reset();
  drafter_.reset();
  context_.reset();
  embedder_.reset();
}

void Context::loop() {
  std::vector<Prepared> arrived;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] {
        return stopping_.load() || interrupted_.load() || !inbox_.empty() || !idle();
      });
      if (stopping_.load()) return;
      arrived.swap(inbox_);
    }
    try {
      const backend::AbortGuard guard(collapse_.get());
      turn(arrived);
    } catch (...) {
      break_down();
      return;
    }
  }
}

void Context::turn(std::vector<Prepared>& arrived) {
  for (Prepared& prepared : arrived)
    start(std::move(prepared));
  arrived.clear();
  interrupted_.store(false);  // before the step looks for what was cancelled
  step();
}

// The failed turn left everything in an unknown state. The pools' threads may be in the middle of a
// graph, where they would wait for this one.
void Context::break_down() {
  breakdown_.emplace();
  collapse_->fail(code::kInternal, "The evaluation was abandoned.");
  collapse_->wait_for_all(kPatience);
  try {
    Failure failure = current_failure();
    device_lost_ = failure.code == code::kDeviceLost;
    if (failure.message.empty() || failure.message.back() != '.') failure.message += '.';
    if (!device_lost_ && failure.code != code::kWorkerUnreachable) {
      failure.message =
          "The engine failed, and this context can no longer be used: " + failure.message +
          " Dispose it; the model and its other contexts are as they were.";
    }
    breakdown_ = std::move(failure);
  } catch (const std::bad_alloc&) {
    breakdown_->code = code::kOutOfMemory;  // short enough to need no allocation
  }
}

bool Context::idle() const { return embedder_ ? embedder_->idle() : scheduler_->idle(); }

void Context::start(Prepared prepared) {
  if (auto* task = std::get_if<std::unique_ptr<Task>>(&prepared)) {
    scheduler_->add(std::move(*task));
  } else if (auto* embedding = std::get_if<std::unique_ptr<Embedding>>(&prepared)) {
    embedder_->add(std::move(*embedding));
  } else {
    sequences_->execute(std::get<PreparedCommand>(std::move(prepared)));
  }
}

void Context::step() {
  if (embedder_) {
    embedder_->step();
  } else {
    scheduler_->step();
  }
}

ContextInfo Context::open() {
  if (model_->vocab_only()) {
    throw Error(code::kUnsupported,
                "This model was loaded with `vocabOnly`: it can only tokenize.");
  }
  check_ability(*model_, options_);
  if (options_.embeddings) embedder_ = std::make_unique<Embedder>(*model_, options_, outbox_);
  ContextInfo info{};
  for (bool made = false; !made;) {
    context_.reset();
    create_context();
    start_threads(info);
    const EvaluationGate::Pass pass(model_->gate());
    made = !embedder_ || embedder_->attach(context_.get());
  }
  info.batch_size = static_cast<int32_t>(llama_n_batch(context_.get()));
  info.micro_batch_size = static_cast<int32_t>(llama_n_ubatch(context_.get()));
  const MemoryKind memory = memory_kind(model_->handle(), options_);
  micro_batch_ = info.micro_batch_size;
  checkpoints_ = memory.has_checkpoints();
  open_drafts(info);
  add_control_vectors();
  info.memory = memory_of(context_.get());
  if (!embedder_) {
    if (model_->may_use_gpu()) warm_up();
    open_scheduler(info, memory);
  }
  return info;
}

void Context::add_control_vectors() {
  control_ =
      load_control_vectors(options_.control_vectors, *model_, [this] { return !stopping_.load(); });
  if (control_.empty()) return;
  const int32_t width = llama_model_n_embd(model_->handle());
  const auto layers = static_cast<int32_t>(control_.size() / static_cast<size_t>(width));
  if (llama_set_adapter_cvec(context_.get(), control_.data(), control_.size(), width, 1, layers) ==
      0) {
    return;
  }
  throw Error(code::kOutOfMemory, "There is no memory for the control vectors.");
}

// How tokens are guessed, and by whom.
void Context::open_drafts(const ContextInfo& info) {
  draft_rule_ = {options_.drafted_tokens, model_->may_use_gpu() ? kRowCostOfGpus : kRowCost,
                 options_.takes_forced, nullptr};
  if (options_.drafted_tokens == 0 || options_.guesser == Guesser::kNgram) return;
  const DrafterHost host{
      *model_,        options_,
      context_.get(), should_abort_draft,
      this,           [this, &info](llama_context* context) { attach_threads(context, info); },
  };
  if (options_.guesser == Guesser::kDraftModel) {
    drafter_ = open_draft_model(host, draft_);
  } else {
    auto head =
        options_.guesser == Guesser::kEagle3 ? open_eagle3(host, draft_) : open_mtp(host, model_);
    draft_head_ = head.get();
    drafter_ = std::move(head);
    try_out(*draft_head_);
  }
  draft_rule_.drafter = drafter_.get();
  draft_rule_.row_cost += cost_of_guess(*model_, draft_.get());
}

// A GPU's shaders are compiled when they are first used, by some drivers for seconds: here, and not
// in somebody's first generation. A token alone and a tile of them take different ones.
void Context::warm_up() {
  llama_memory_t memory = llama_get_memory(context_.get());
  TokenBatch batch;
  const int32_t tile = std::min({kUsualTileOfGpus, options_.context_size,
                                 static_cast<int32_t>(llama_n_ubatch(context_.get()))});
  batch.reserve(tile);
  for (const int32_t rows : {tile, 1}) {
    if (stopping_.load()) return;
    batch.clear();
    for (int32_t i = 0; i < rows; ++i)
      batch.add(i % model_->vocabulary().size(), i, 0, i == rows - 1);
    const EvaluationGate::Pass pass(model_->gate());
    const int32_t status = llama_decode(context_.get(), batch.view());
    rpc::throw_if_lost();
    if (status != kDecoded && status != kAborted) {
      const Failure failure = decode_failure(status);
      throw Error(status == kNoMemory ? code::kOutOfMemory : code::kDecodeFailed, failure.message);
    }
    llama_synchronize(context_.get());
    rpc::throw_if_lost();
    llama_memory_clear(memory, false);
  }
}

void Context::open_scheduler(const ContextInfo& info, const MemoryKind& memory) {
  const bool gpu = model_->may_use_gpu();
  const int32_t least = gpu ? kLeastPieceOfGpus : kLeastRows;
  const int32_t fewest = gpu || memory.has_checkpoints() ? least : kFewestRows;
  Limits limits{options_.context_size, options_.sequences, info.batch_size, info.micro_batch_size,
                options_.unified_kv_cache, copy_ms_per_token(info.memory), least, fewest,
                // What an aborted piece has overwritten is lost, or comes back in other cells.
                !gpu && memory.cut_anywhere(), memory,
                static_cast<int32_t>(generation_params(options_).n_outputs_max)};
  if (!model_->workers().empty()) {
    limits.settle = [this] {
      for (const std::shared_ptr<RemoteWorker>& worker : model_->workers())
        worker->settle();
    };
  }
  scheduler_ =
      std::make_unique<Scheduler>(context_.get(), model_->gate(), limits, outbox_, draft_head_);
  sequences_ = std::make_unique<Sequences>(
      *model_, *scheduler_, outbox_, options_.context_size, fingerprint(),
      [this](RequestId id, const std::string& path, StateFile file) {
        auto shared = std::make_shared<StateFile>(std::move(file));
        preparer_.post([this, id, path, shared] { save(id, path, std::move(*shared)); });
      });
}

// The state is written to a buffer and read back.
double Context::copy_ms_per_token(const MemoryBreakdown& memory) const {
  constexpr double kBytesPerMs = 2e6;
  return static_cast<double>(cache_bytes(memory)) / llama_n_ctx(context_.get()) / kBytesPerMs;
}

void Context::create_context() {
  llama_context_params params = embedder_ ? embedder_->params() : generation_params(options_);
  add_common_params(options_, params);
  params.abort_callback = should_abort;
  params.abort_callback_data = this;
  {
    std::lock_guard<std::mutex> lock(model_->creating());
    const EvaluationGate::Pass pass(model_->gate());
    context_ = create_llama_context(model_->handle(), params);
  }
  if (!embedder_ && llama_get_memory(context_.get()) == nullptr) {
    throw Error(code::kUnsupported, "This model keeps no cache: it cannot generate text.");
  }
}

void Context::start_threads(ContextInfo& info) {
  const int32_t cores = physical_cores();
  info.threads = options_.threads > 0 ? options_.threads : cores;
  info.batch_threads = options_.batch_threads > 0 ? options_.batch_threads : info.threads;

  pool_ = std::make_unique<ComputePool>(info.threads, collapse_);
  if (info.batch_threads != info.threads) {
    batch_pool_ = std::make_unique<ComputePool>(info.batch_threads, collapse_);
  }
  attach_threads(context_.get(), info);
}

void Context::attach_threads(llama_context* context, const ContextInfo& info) const {
  llama_set_n_threads(context, info.threads, info.batch_threads);
  llama_attach_threadpool(context, pool_->handle(),
                          batch_pool_ ? batch_pool_->handle() : pool_->handle());
}

// Its guesses can be had again at any time.
bool Context::should_abort_draft(void* self) {
  const auto* context = static_cast<Context*>(self);
  return context->stopping_.load(std::memory_order_relaxed) ||
         context->interrupted_.load(std::memory_order_relaxed);
}

bool Context::should_abort(void* self) {
  auto* context = static_cast<Context*>(self);
  if (context->stopping_.load(std::memory_order_relaxed)) return true;
  if (!context->interrupted_.load(std::memory_order_relaxed)) return false;
  return context->embedder_ ? context->embedder_->decoding_in_vain()
                            : context->scheduler_->decoding_in_vain();
}

}  // namespace cria
