#include "core/engine/scheduler.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// From so many tokens on, it is worth waiting for another task that is about to evaluate them.
constexpr int32_t kWorthWaiting = 64;

bool are_numbers(const float* logits, int32_t count) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return std::all_of(logits, logits + count,
                     [](float logit) { return !std::isnan(logit) && logit != kInfinity; });
}

}  // namespace

Scheduler::Scheduler(llama_context* context, EvaluationGate& gate, const Limits& limits,
                     Outbox& outbox, DraftHead* head)
    : context_(context),
      vocabulary_size_(llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(context)))),
      gate_(gate),
      limits_(limits),
      outbox_(outbox),
      head_(head),
      cache_(
          context, limits.sequences,
          {limits.unified_kv_cache, limits.micro_batch, limits.copy_ms_per_token, limits.memory}),
      batch_(limits.batch),
      times_({limits.least_piece, limits.fewest_rows, !limits.unified_kv_cache}),
      piece_limit_(limits.micro_batch, limits.least_piece, !limits.stoppable) {}

void Scheduler::add(std::unique_ptr<Task> task) {
  if (task->length() > limits_.context_size) {
    task->fail({code::kContextFull,
                "The prompt has " + std::to_string(task->length()) + " tokens, more than the " +
                    std::to_string(limits_.context_size) +
                    " that one generation can hold. Shorten it, or create the context with a "
                    "larger `contextSize`."},
               outbox_);
  } else if (task->owns_slot()) {
    running_.push_back(std::move(task));
    count();
    return;
  } else {
    waiting_.push_back(std::move(task));
    count();
    return;
  }
  outbox_.flush();
}

// In a per-sequence cache, tokens of running generations and pieces of prompts are never decoded
// together. llama.cpp would cut a stream where the others end and compute them one after the other
// anyway; and this way each sequence gets the batches, and so the results, that it would get alone.
// In a unified cache they are decoded together: the weights are read once for both. Embeddings of
// media are always decoded by themselves: a batch has tokens or embeddings.
void Scheduler::step() {
  drop_cancelled();
  admit();
  refuse_waiting();
  gather();
  batch_.clear();
  const AdapterSetPtr in_turn = adapters_in_turn();
  // Nothing is beside media.
  const bool together = limits_.unified_kv_cache && !media_due();
  if (!prompts_go_first()) generate(together ? in_turn.get() : nullptr);
  add_prompts(in_turn.get());
  if (!batch_.empty()) decode_batch();
  batch_.clear();
  // Nobody's adapters stay in memory for a context that does nothing.
  if (running_.empty()) apply(no_adapters());
  count();
  outbox_.flush();
}

bool Scheduler::decoding_in_vain() const {
  const auto& shares = batch_.shares();
  return limits_.stoppable &&
         std::any_of(shares.begin(), shares.end(), [](const Batch::Share& share) {
           // A single token costs nearly nothing beside its neighbours': no reason to repeat
           // theirs.
           return share.count > 1 && share.task->cancelled();
         });
}

void Scheduler::drop_cancelled() {
  const auto drop = [this](std::unique_ptr<Task>& task) {
    if (!task->cancelled()) return false;
    task->cancel(outbox_);
    release(*task);
    return true;
  };
  running_.erase(std::remove_if(running_.begin(), running_.end(), drop), running_.end());
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), drop), waiting_.end());
}

void Scheduler::admit() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (out_of_cells_ || !cache_.has_free()) return;
    Task& task = **next;
    if (better_wait(task)) {
      ++next;
      continue;
    }
    const Slot slot = *cache_.take(task.lookup(), times_.prefill_ms_per_token());
    task.enter(slot, cache_.length(slot));
    running_.push_back(std::move(*next));
    next = waiting_.erase(next);
  }
}

// If sequences driven by hand hold every slot, only their users can free one, and these may be
// waiting for this very answer.
void Scheduler::refuse_waiting() {
  if (waiting_.empty() || cache_.has_free()) return;
  const bool some_ends = std::any_of(running_.begin(), running_.end(),
                                     [](const auto& task) { return !task->owns_slot(); });
  if (some_ends) return;
  const std::string message =
      "All " + std::to_string(cache_.size()) +
      " sequences of the context are held by createSequence() or fork(): nothing else can begin. "
      "Dispose one of them first, or create the context with more `sequences`.";
  for (const auto& task : waiting_)
    task->fail({code::kContextFull, message}, outbox_);
  waiting_.clear();
}

// Whether a prompt that is being evaluated will soon put a useful prefix of this one into the
// cache.
bool Scheduler::better_wait(const Task& task) const {
  if (task.reuse() == Reuse::kNone) return false;
  int32_t coming = 0;
  for (const auto& other : running_) {
    if (!other->prefilling()) continue;
    const int32_t common = coming_prefix(*other, task);
    if (common > other->evaluated()) coming = std::max(coming, common);
  }
  const int32_t dear = cache_.worth_copying(coming, times_.prefill_ms_per_token());
  const int32_t worth = std::max(kWorthWaiting, dear);
  return coming >= worth && coming - cache_.longest_prefix(task.lookup()) >= worth;
}

int32_t Scheduler::coming_prefix(const Task& other, const Task& task) const {
  const int32_t common = std::min(common_prefix(other.tokens(), task.tokens()),
                                  other.adaptation().agreement(task.adaptation()));
  if (limits_.memory.cut_anywhere()) return cache_.reusable(common, task.lookup());
  return other.last_checkpoint(std::min(common, task.lookup().most), limits_.micro_batch);
}

// In a per-sequence cache llama.cpp decodes neighbouring slots together, and every other one in a
// pass of its own. If no task is waiting to fill the holes, running ones move into them.
void Scheduler::gather() {
  if (limits_.unified_kv_cache || !waiting_.empty()) return;
  std::vector<Task*> active;
  for (const auto& task : running_) {
    if (!task->owns_slot()) active.push_back(task.get());
  }
  if (active.size() < 2) return;
  std::sort(active.begin(), active.end(),
            [](const Task* a, const Task* b) { return a->slot() < b->slot(); });
  const auto span = static_cast<int32_t>(active.size());
  const Slot best = window_for(active, cache_);
  if (best == kNoSlot) return;

  Slot hole = best;
  for (Task* task : active) {
    if (task->slot() >= best && task->slot() < best + span) continue;
    if (!cache_.moves_exactly(task->slot())) return;
    while (cache_.in_use(hole))
      ++hole;
    if (!cache_.swap(task->slot(), hole)) return;
    task->move_to(hole);
  }
}

// Where nobody minds, prompts are evaluated together before the next token of those who generate:
// these then go on in step with the new ones, and what begins together ends together. In a unified
// cache both are in the same batch anyway.
bool Scheduler::prompts_go_first() const {
  const bool any = std::any_of(running_.begin(), running_.end(),
                               [](const auto& task) { return task->prefilling(); });
  return any && !limits_.unified_kv_cache && std::isinf(max_pause());
}

// Infinity if nobody generates.
double Scheduler::max_pause() const {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& task : running_)
    if (!task->prefilling()) least = std::min(least, task->max_pause());
  return least;
}

// A token for every task whose prompt is evaluated: for those with `beside` it is added to the
// batch, which is left to prompts with the same adapters.
void Scheduler::generate(const AdapterSet* beside) {
  std::vector<AdapterSetPtr> sets;  // each once
  for (const auto& task : running_) {
    if (task->prefilling()) continue;
    const bool known = std::any_of(sets.begin(), sets.end(), [&](const AdapterSetPtr& set) {
      return set->key() == task->adapters()->key();
    });
    if (!known) sets.push_back(task->adapters());
  }
  for (const AdapterSetPtr& set : sets) {
    if (beside != nullptr && set->key() == beside->key()) continue;
    add_generating(*set);
    if (!batch_.empty()) decode_batch();
    batch_.clear();
  }
  if (beside != nullptr) add_generating(*beside);
}

void Scheduler::add_generating(const AdapterSet& adapters) {
  std::vector<Task*> generating;
  bool prompts = false;
  for (const auto& task : running_) {
    if (task->adapters()->key() != adapters.key()) continue;
    if (task->prefilling()) {
      prompts = true;
    } else {
      generating.push_back(task.get());
    }
  }
  // llama.cpp joins only rising slots into one micro-batch.
  std::sort(generating.begin(), generating.end(),
            [](const Task* a, const Task* b) { return a->slot() < b->slot(); });
  for (Task* task : generating)
    batch_.add(*task, 1);
  // In a unified cache prompts need room in the same batch.
  if (generating.size() == 1 && !(prompts && limits_.unified_kv_cache))
    add_draft(*generating.front());
}

// Only beside one generation: where several are evaluated together, rows are no longer cheap, and
// llama.cpp evaluates streams apart that have different numbers of them.
void Scheduler::add_draft(Task& task) {
  if (!drafts_fit_) return;
  const int32_t cells = limits_.context_size - task.length();
  const Tokens* draft = &kNoTokens;
  try {
    draft = &task.draft(std::min(cells, limits_.batch - batch_.size()));
  } catch (const backend::AssertionError&) {
    throw;
  } catch (const std::exception&) {
    // No memory, or a grammar that has become too ambiguous to go on with: that is told where it is
    // asked again.
  }
  batch_.add_draft(*draft);
}

// Those that are next; null: none. They are of the prompt whose turn it is.
AdapterSetPtr Scheduler::adapters_in_turn() const {
  const std::vector<Task*> all = prefilling(nullptr);
  return all.empty() ? nullptr : next_prompt(all)->adapters();
}

// `adapters`: only with these; null: all.
std::vector<Task*> Scheduler::prefilling(const AdapterSet* adapters) const {
  std::vector<Task*> tasks;
  for (const auto& task : running_) {
    const bool wanted = adapters == nullptr || task->adapters()->key() == adapters->key();
    if (task->prefilling() && wanted) tasks.push_back(task.get());
  }
  return tasks;
}

void Scheduler::add_prompts(const AdapterSet* adapters) {
  if (adapters == nullptr) return;
  std::vector<Task*> tasks = prefilling(adapters);
  if (tasks.empty()) return;
  Task* first = next_prompt(tasks);
  const MediaSpan* media = first->next_media();
  // Media are alone in a batch. They were not due before the tokens that are in it: since then
  // somebody was told to evaluate his prompt again, which he does in the next step.
  if (media != nullptr && !batch_.empty()) return;
  oldest_next_ = !oldest_next_;
  const auto cannot_join = [&](const Task* task) {
    return task != first && (media != nullptr || task->next_media() != nullptr);
  };
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), cannot_join), tasks.end());
  std::vector<Piece> pieces = plan_prefill(*first, tasks, prefill_limits());
  if (media != nullptr && media->chunk->non_causal) pieces.front().count = media->chunk->rows;
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.task->slot() < b.task->slot(); });
  // Scores want logits of several rows: what there is no room for comes in the next step.
  int32_t outputs = batch_.outputs();
  for (const Piece& piece : pieces)
    outputs += piece.task == first ? first->outputs_within(piece.count) : 0;
  for (const Piece& piece : pieces) {
    if (piece.task != first) {
      const int32_t more = piece.task->outputs_within(piece.count);
      if (outputs + more > limits_.outputs) continue;
      outputs += more;
    }
    batch_.add(*piece.task, piece.count);
  }
}

bool Scheduler::media_due() const {
  return std::any_of(running_.begin(), running_.end(), [](const auto& task) {
    return task->prefilling() && task->next_media() != nullptr;
  });
}

// The oldest prompt and the one nearest to its end take turns: a long one does not hold up the
// short ones behind it, and makes progress however many of those come.
Task* Scheduler::next_prompt(const std::vector<Task*>& prefilling) const {
  if (oldest_next_) return prefilling.front();
  return *std::min_element(prefilling.begin(), prefilling.end(), [](const Task* a, const Task* b) {
    return a->pending() < b->pending();
  });
}

// Without running generations, or with patient ones, a piece is a whole micro-batch, or as much of
// it as an abort may be made to wait for. Otherwise it is as much as the generations may be made to
// wait for.
PlanLimits Scheduler::prefill_limits() const {
  const double pause = max_pause();
  const int32_t most = piece_limit_.rows();
  PlanLimits limits{most, limits_.micro_batch, limits_.unified_kv_cache,
                    limits_.unified_kv_cache ? 1 : limits_.least_piece};
  const int32_t beside = limits_.unified_kv_cache ? batch_.size() : 0;
  limits.rows = std::max(std::min(most, limits_.micro_batch - beside), 1);
  if (std::isinf(pause)) return limits;
  const StepTimes::Piece piece = times_.piece_within(pause, most);
  if (!limits_.unified_kv_cache) limits.least_piece = piece.least;
  const int32_t wanted = std::max(piece.rows, piece.least - beside);
  limits.rows = std::max(std::min(wanted, limits_.micro_batch - beside), 1);
  return limits;
}

void Scheduler::decode_batch() {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const Clock::time_point begin = Clock::now();
  switch (const int32_t status = decode()) {
    case kDecoded:
      measure(Milliseconds(Clock::now() - begin).count());
      show_head();
      collect();
      return;
    case kNoCells:
      if (batch_.has_drafts()) {
        roll_back();
        drafts_fit_ = cache_.evict();
      } else {
        make_room();
      }
      return;
    case kAborted:
      roll_back();
      return;
    default:
      fail_batch(status);
  }
}

int32_t Scheduler::decode() {
  apply(batch_.shares().front().task->adapters());
  const NonCausal scope(context_, batch_.non_causal());
  const EvaluationGate::Pass pass(gate_);
  const int32_t status = llama_decode(context_, batch_.view());
  // A GPU may still be computing. Its results are needed next, and its time has to be measured
  // here.
  if (status == kDecoded) llama_synchronize(context_);
  rpc::throw_if_lost();
  // Of workers llama.cpp awaits only the logits, so where none are wanted they have to be asked.
  if (status == kDecoded && limits_.settle && batch_.outputs() == 0) limits_.settle();
  return status;
}

// Other ones than before make llama.cpp lay out its graphs anew.
void Scheduler::apply(const AdapterSetPtr& adapters) {
  if (adapters->key() == applied_->key()) return;
  adapters->apply(context_);
  applied_ = adapters;
}

// llama.cpp removes the micro-batch that was aborted, but not those before it.
void Scheduler::roll_back() {
  for (const Batch::Share& share : batch_.shares()) {
    share.task->rewind(cache_.trim(share.task->slot(), share.task->evaluated()));
  }
}

void Scheduler::measure(double decode_ms) {
  int32_t prompts = 0;
  for (const Batch::Share& share : batch_.shares())
    prompts += share.count > 1 ? share.count : 0;
  if (prompts > 0) piece_limit_.measured(prompts, decode_ms);
  times_.measured({batch_.size(), prompts, batch_.has_drafts()}, decode_ms);
}

// What the model computed of a text that runs alone: where several do, nobody guesses.
void Scheduler::show_head() {
  if (head_ == nullptr || running_.size() != 1 || batch_.shares().size() != 1) return;
  const Batch::Share& share = batch_.shares().front();
  const Task& task = *share.task;
  if (!task.is_guessed()) return;
  Tokens draft;
  for (int32_t i = 0; i < share.drafted; ++i)
    draft.push_back(batch_.token(share.output + share.outputs + i));
  const int32_t end = task.evaluated() + share.count;
  head_->follow(task.slot(), task.tokens(), task.evaluated(), end, draft);
}

// Whether these next rows of a task are what they would be if its prompt were evaluated by itself.
bool Scheduler::is_as_alone(const Task& task, int32_t count) const {
  const int32_t tile = std::min(limits_.fewest_rows, kLeastRows);
  const bool as_alone = task.as_alone(count, limits_.micro_batch, tile);
  if (limits_.memory.has_checkpoints()) return as_alone;
  return count >= limits_.least_piece || (as_alone && count >= limits_.fewest_rows);
}

void Scheduler::collect() {
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  counters_.decoded_tokens.fetch_add(batch_.size(), std::memory_order_relaxed);
  for (const Batch::Share& share : batch_.shares()) {
    Task& task = *share.task;
    const llama_token* const tokens = task.tokens().data() + task.evaluated();
    cache_.append(task.slot(), tokens, share.count, is_as_alone(task, share.count));
    task.advance(share.count);
    if (task.at_checkpoint(limits_.micro_batch)) cache_.take_checkpoint(task.slot());
    if (task.reports_progress() && task.evaluated() <= task.prompt_length()) {
      outbox_.progress(task.id(), task.evaluated(), task.prompt_length());
    }
    if (share.outputs > 0 && answer(share)) release(task);
  }
  forget_released();
  if (spoilt_) wipe_cache();
}

// Samples for one task, and goes on along its draft for as long as that is what it chooses. True if
// the task has ended.
bool Scheduler::answer(const Batch::Share& share) {
  Task& task = *share.task;
  // Counted before the task can end, and tell of it.
  if (share.drafted > 0) task.drafted(share.drafted, 0);
  bool ended = false;
  for (int32_t i = 0; !ended && i < share.outputs; ++i)
    ended = deliver(task, share.output + i);
  if (share.drafted == 0) return ended;
  const int32_t draft = share.output + share.outputs;
  int32_t accepted = 0;
  while (!ended && accepted < share.drafted) {
    const llama_token drafted = batch_.token(draft + accepted);
    if (task.tokens().back() != drafted) break;
    ++accepted;
    cache_.append(task.slot(), &drafted, 1, /*as_alone=*/false);
    task.advance(1);
    task.drafted(0, 1);
    ended = deliver(task, draft + accepted - 1);
  }
  if (accepted < share.drafted) task.rewind(cache_.trim(task.slot(), task.evaluated()));
  return ended;
}

// Samples for one task; true if the task has ended. What goes wrong is this task's error alone.
bool Scheduler::deliver(Task& task, int32_t output) {
  try {
    const backend::AbortGuard guard;
    const float* logits = llama_get_logits_ith(context_, output);
    if (logits == nullptr) throw Error(code::kDecodeFailed, "llama.cpp gave no logits.");
    return task.step(logits, limits_.context_size, outbox_);
  } catch (const std::exception&) {
    task.fail(current_failure(code::kDecodeFailed), outbox_);
    const float* logits = llama_get_logits_ith(context_, output);
    spoilt_ = spoilt_ || (logits != nullptr && !are_numbers(logits, vocabulary_size_));
  }
  return true;
}

// What is no number stays in the cells of the one that brought it in, also when they are free: in
// attention by matrices it would reach everybody whose rows go over these cells, for 0 times it is
// none either. So all cells are emptied, and whoever is running evaluates its tokens again.
void Scheduler::wipe_cache() {
  cache_.wipe();
  for (const auto& task : running_)
    task->rewind(0);
  spoilt_ = false;
}

// There are no cells for this batch. Unused prefixes are evicted first. Then the youngest task goes
// back to the queue and will evaluate its tokens again; a task that is alone cannot go on at all.
void Scheduler::make_room() {
  roll_back();
  if (cache_.evict()) return;
  const auto last = std::find_if(running_.rbegin(), running_.rend(),
                                 [](const auto& task) { return !task->owns_slot(); });
  const auto victim = last == running_.rend() ? running_.end() - 1 : last.base() - 1;
  std::unique_ptr<Task> task = std::move(*victim);
  running_.erase(victim);
  const bool alone = running_.empty() || task->owns_slot();
  const Slot slot = task->slot();
  release(*task);
  if (slot != kNoSlot && !cache_.in_use(slot)) cache_.give_back_empty(slot);
  if (!alone) {
    waiting_.push_front(std::move(task));
    out_of_cells_ = true;
  } else if (!task->end_without_room(outbox_)) {
    task->fail({code::kContextFull,
                "The prompt has " + std::to_string(task->length()) +
                    " tokens, more than the cache has cells left. Shorten it, dispose sequences, "
                    "or create the context with a larger `kvCacheSize`."},
               outbox_);
  }
}

void Scheduler::fail_batch(int32_t status) {
  if (limits_.memory.recurrent) {
    // llama.cpp had moved states of others, too, to lay those of the batch side by side.
    cache_.forget_all();
    for (const auto& task : running_)
      task->rewind(0);
  } else {
    roll_back();
  }
  const Failure failure = decode_failure(status);
  for (const Batch::Share& share : batch_.shares()) {
    share.task->fail(failure, outbox_);
    release(*share.task);
  }
  batch_.clear();
  forget_released();
}

// Tasks without a slot have ended.
void Scheduler::forget_released() {
  running_.erase(std::remove_if(running_.begin(), running_.end(),
                                [](const auto& task) { return task->slot() == kNoSlot; }),
                 running_.end());
}

// The slot's contents stay in the cache for others.
void Scheduler::release(Task& task) {
  if (task.slot() == kNoSlot) return;
  if (!task.owns_slot()) cache_.give_back(task.slot());
  out_of_cells_ = false;
  drafts_fit_ = true;
  task.leave();
}

void Scheduler::count() {
  counters_.active.store(static_cast<int32_t>(running_.size()), std::memory_order_relaxed);
  counters_.cached_tokens.store(cache_.cached_tokens(), std::memory_order_relaxed);
}

}  // namespace cria
