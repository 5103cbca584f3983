#include "scheduler.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "backend.h"
#include "error.h"

namespace cria {

namespace {

// While others wait for their next token, a piece of a prompt should not take longer than this.
constexpr double kPieceMs = 50;
// The rows that ggml's flash attention takes at once on a CPU. With fewer in a micro-batch it goes
// another way, which rounds differently: pieces smaller than this would make a result depend on who
// else is generating.
constexpr int32_t kTile = 64;
// Weight of the newest measurement in the running mean.
constexpr double kNewest = 0.3;

constexpr const char* kBroken =
    "llama.cpp failed inside and this context cannot be used any more: dispose it.";

// llama_decode's results (include/llama.h).
constexpr int32_t kDecoded = 0;
constexpr int32_t kNoCells = 1;
constexpr int32_t kAborted = 2;

}  // namespace

Scheduler::Scheduler(llama_context* context, const Limits& limits, Outbox& outbox)
    : context_(context),
      memory_(llama_get_memory(context)),
      limits_(limits),
      outbox_(outbox),
      slot_taken_(static_cast<size_t>(limits.sequences), false) {
  const auto most = static_cast<size_t>(limits.batch);
  batch_tokens_.reserve(most);
  batch_positions_.reserve(most);
  batch_outputs_.reserve(most);
  batch_slot_counts_.assign(most, 1);
  batch_slots_.resize(most);
  for (llama_seq_id& slot : batch_slots_)
    batch_slot_pointers_.push_back(&slot);
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
  if (broken_) {
    outbox_.fail(sequence->id(), code::kInternal, kBroken);
  } else if (sequence->length() > limits_.context_size) {
    outbox_.fail(sequence->id(), code::kContextFull,
                 "The prompt has " + std::to_string(sequence->length()) +
                     " tokens, more than the " + std::to_string(limits_.context_size) +
                     " that one generation can hold. Shorten it, or create the context with a "
                     "larger `contextSize`.");
  } else {
    waiting_.push_back(std::move(sequence));
    count();
    return;
  }
  outbox_.flush();
}

// The tokens of running generations and a piece of a prompt are never decoded together: a stream of
// the separate layout would be cut where the others end, llama.cpp computes them one after the
// other anyway, and each sequence gets the batches, and so the results, that it would get alone.
void Scheduler::step() {
  drop_cancelled();
  start_waiting();
  const bool generating = fill_with_generations();
  if (generating) decode_batch();
  if (fill_with_prompt(generating)) decode_batch();
  count();
  outbox_.flush();
}

void Scheduler::decode_batch() {
  const Clock::time_point begin = Clock::now();
  try {
    const backend::AbortGuard guard;
    switch (const int32_t status = decode()) {
      case kDecoded:
        collect(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
        return;
      case kNoCells:
        make_room();
        return;
      case kAborted:
        roll_back();
        return;
      default:
        fail_batch("llama_decode returned " + std::to_string(status) + ".");
        return;
    }
  } catch (const Error& error) {
    // A failed assertion: what llama.cpp was doing is half done, and nobody can tell which half.
    broken_ = true;
    fail_all(code::kInternal, std::string(error.what()) + " " + kBroken);
  } catch (const std::exception& error) {
    fail_batch(error.what());
  }
}

void Scheduler::fail_all(const char* code, const std::string& message) {
  for (const auto& sequence : running_) {
    outbox_.fail(sequence->id(), code, message);
    release(*sequence);
  }
  for (const auto& sequence : waiting_)
    outbox_.fail(sequence->id(), code, message);
  running_.clear();
  waiting_.clear();
  shares_.clear();
  count();
  outbox_.flush();
}

bool Scheduler::decoding_in_vain() const {
  return std::any_of(shares_.begin(), shares_.end(), [](const Share& share) {
    // A single token is nearly free beside its neighbours': not worth their time.
    return share.count > 1 && share.sequence->cancelled();
  });
}

void Scheduler::drop_cancelled() {
  const auto drop = [this](std::unique_ptr<Sequence>& sequence) {
    if (!sequence->cancelled()) return false;
    outbox_.finish(sequence->id(), sequence->finish(StopReason::kCancelled, outbox_));
    release(*sequence);
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), drop), running_.end());
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), drop), waiting_.end());
}

void Scheduler::start_waiting() {
  while (!waiting_.empty() && !out_of_cells_) {
    // The lowest free slot: llama.cpp decodes neighbouring ids together, and others apart.
    const auto free = std::find(slot_taken_.begin(), slot_taken_.end(), false);
    if (free == slot_taken_.end()) return;
    *free = true;
    waiting_.front()->enter(static_cast<llama_seq_id>(free - slot_taken_.begin()));
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void Scheduler::clear_batch() {
  batch_tokens_.clear();
  batch_positions_.clear();
  batch_outputs_.clear();
  shares_.clear();
}

// The next token of every sequence that has its prompt behind it.
bool Scheduler::fill_with_generations() {
  clear_batch();
  std::vector<Sequence*> generating;
  for (const auto& sequence : running_) {
    if (!sequence->prefilling()) generating.push_back(sequence.get());
  }
  // In the separate layout llama.cpp joins only rising ids into one micro-batch.
  std::sort(generating.begin(), generating.end(),
            [](const Sequence* a, const Sequence* b) { return a->slot() < b->slot(); });
  for (Sequence* sequence : generating)
    add_share(*sequence, 1);
  return !shares_.empty();
}

// A piece of the oldest prompt.
bool Scheduler::fill_with_prompt(bool others_generate) {
  clear_batch();
  const auto oldest = std::find_if(running_.begin(), running_.end(),
                                   [](const auto& sequence) { return sequence->prefilling(); });
  if (oldest == running_.end()) return false;
  add_share(**oldest, piece_of(**oldest, others_generate));
  return true;
}

void Scheduler::add_share(Sequence& sequence, int32_t count) {
  const bool whole = count == sequence.pending();
  for (int32_t i = 0; i < count; ++i) {
    const int32_t position = sequence.evaluated() + i;
    batch_slots_[batch_tokens_.size()] = sequence.slot();
    batch_tokens_.push_back(sequence.tokens()[static_cast<size_t>(position)]);
    batch_positions_.push_back(position);
    batch_outputs_.push_back(whole && i == count - 1 ? 1 : 0);
  }
  const auto end = static_cast<int32_t>(batch_tokens_.size());
  shares_.push_back({&sequence, count, whole ? end - 1 : -1});
}

// Alone, a whole micro-batch, so that an abort need not wait for more. While others generate, as
// much of it as they may be made to wait for, in whole tiles, and never a rest of less than one.
int32_t Scheduler::piece_of(const Sequence& sequence, bool others_generate) const {
  const int32_t border = (sequence.evaluated() / limits_.micro_batch + 1) * limits_.micro_batch;
  const int32_t rest = std::min(border, sequence.length()) - sequence.evaluated();
  if (!others_generate) return rest;
  const double affordable = prefill_ms_per_token_ > 0 ? kPieceMs / prefill_ms_per_token_ : kTile;
  const auto tiles =
      static_cast<int32_t>(std::min<double>(affordable, limits_.micro_batch)) / kTile;
  const int32_t piece = std::max(tiles, 1) * kTile;
  return rest - piece < kTile ? rest : piece;
}

int32_t Scheduler::decode() {
  const llama_batch batch{static_cast<int32_t>(batch_tokens_.size()),
                          batch_tokens_.data(),
                          nullptr,  // no embeddings
                          batch_positions_.data(),
                          batch_slot_counts_.data(),
                          batch_slot_pointers_.data(),
                          batch_outputs_.data()};
  const int32_t status = llama_decode(context_, batch);
  // A GPU may still be at work; what follows needs its results, and its time belongs here.
  if (status == kDecoded) llama_synchronize(context_);
  return status;
}

// llama.cpp drops the micro-batch that was aborted, not those before it.
void Scheduler::roll_back() {
  for (const Share& share : shares_) {
    llama_memory_seq_rm(memory_, share.sequence->slot(), share.sequence->evaluated(), -1);
  }
}

void Scheduler::collect(double decode_ms) {
  const auto tokens = static_cast<int32_t>(batch_tokens_.size());
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  counters_.decoded_tokens.fetch_add(tokens, std::memory_order_relaxed);
  if (shares_.front().count >= kTile) {
    const double now = decode_ms / tokens;
    const double before = prefill_ms_per_token_ > 0 ? prefill_ms_per_token_ : now;
    prefill_ms_per_token_ = before + kNewest * (now - before);
  }

  for (const Share& share : shares_) {
    Sequence& sequence = *share.sequence;
    sequence.advance(share.count);
    const bool prefill = sequence.evaluated() <= sequence.prompt_length();
    if (sequence.request().progress && prefill) {
      outbox_.progress(sequence.id(), sequence.evaluated(), sequence.prompt_length());
    }
    if (share.output >= 0) deliver(share);
  }
  forget_released();
}

// Samples for one sequence. Whatever is wrong with it is its own error and nobody else's.
void Scheduler::deliver(const Share& share) {
  Sequence& sequence = *share.sequence;
  try {
    const backend::AbortGuard guard;
    const float* logits = llama_get_logits_ith(context_, share.output);
    if (logits == nullptr) throw Error(code::kDecodeFailed, "llama.cpp gave no logits.");
    std::optional<Finish> finish = sequence.step(logits, limits_.context_size, outbox_);
    if (!finish) return;
    outbox_.finish(sequence.id(), *std::move(finish));
  } catch (const Error& error) {
    outbox_.fail(sequence.id(), error.code(), error.what());
  } catch (const std::exception& error) {
    outbox_.fail(sequence.id(), code::kDecodeFailed, error.what());
  }
  release(sequence);
}

// No cells for this batch: the youngest goes back to the queue and will evaluate its tokens again.
// Alone it cannot go on at all.
void Scheduler::make_room() {
  roll_back();
  std::unique_ptr<Sequence> youngest = std::move(running_.back());
  running_.pop_back();
  release(*youngest);
  if (!running_.empty()) {
    waiting_.push_front(std::move(youngest));
    out_of_cells_ = true;
    return;
  }
  if (youngest->length() > youngest->prompt_length()) {
    outbox_.finish(youngest->id(), youngest->finish(StopReason::kContextFull, outbox_));
    return;
  }
  outbox_.fail(youngest->id(), code::kContextFull,
               "The prompt has " + std::to_string(youngest->length()) +
                   " tokens, more than the cache has cells. Shorten it, or create the context "
                   "with a larger `cacheSize`.");
}

void Scheduler::fail_batch(const std::string& message) {
  for (const Share& share : shares_) {
    outbox_.fail(share.sequence->id(), code::kDecodeFailed,
                 "llama.cpp could not evaluate the batch: " + message);
    release(*share.sequence);
  }
  shares_.clear();
  forget_released();
}

// Those that gave their slot back have had their last news.
void Scheduler::forget_released() {
  running_.erase(std::remove_if(running_.begin(), running_.end(),
                                [](const auto& s) { return s->slot() == Sequence::kNoSlot; }),
                 running_.end());
}

void Scheduler::release(Sequence& sequence) {
  const llama_seq_id slot = sequence.slot();
  if (slot == Sequence::kNoSlot) return;
  llama_memory_seq_rm(memory_, slot, -1, -1);
  slot_taken_[static_cast<size_t>(slot)] = false;
  out_of_cells_ = false;
  sequence.leave();
}

void Scheduler::count() {
  int64_t cached = 0;
  for (const auto& sequence : running_)
    cached += sequence->evaluated();
  counters_.active.store(static_cast<int32_t>(running_.size()), std::memory_order_relaxed);
  counters_.waiting.store(static_cast<int32_t>(waiting_.size()), std::memory_order_relaxed);
  counters_.cached_tokens.store(cached, std::memory_order_relaxed);
}

}  // namespace cria
