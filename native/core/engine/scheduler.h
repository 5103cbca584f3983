// Continuous batching: every step decodes the next token of each running generation and a piece of
// the prompts that are due, samples, and tells the outbox. Tasks join and leave between steps. The
// context's thread only.
//
//   waiting ──a slot, with the longest cached prefix──► running: prefill in pieces, then
//      ▲                       │                        one token a step ──done──► outbox
//      └──── no cells left ────┘  (unified cache: the youngest gives way and starts again)
#pragma once

#include <llama.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/cache.h"
#include "core/engine/piece_limit.h"
#include "core/engine/plan.h"
#include "core/engine/step_times.h"
#include "core/engine/task.h"
#include "core/model/evaluation_gate.h"
#include "core/request/counters.h"
#include "core/request/outbox.h"
#include "core/speculation/draft_head.h"

namespace cria {

// The scheduler's limits, fixed when the context is created.
struct Limits {
  int32_t context_size;  // tokens of one task
  int32_t sequences;     // decoded together
  int32_t batch;         // the most tokens of one llama_decode, at least `sequences`
  int32_t micro_batch;   // the usual number of them
  bool unified_kv_cache;
  double copy_ms_per_token;           // roughly, from slot to slot
  int32_t least_piece = kLeastRows;   // of a prompt that is evaluated beside generations,
  int32_t fewest_rows = kFewestRows;  // and where that would hold them up for too long
  bool stoppable = true;              // llama_decode returns soon where it is asked to abort
  MemoryKind memory;
  // Rows of logits of one llama_decode, at most, which llama.cpp asserts: as many as there are
  // sequences, and kMostRowsOfScore more; fewer only where a batch has no more rows.
  int32_t outputs = 64;
  // Returns when workers have computed all that they were sent; null: there are none.
  std::function<void()> settle = nullptr;
};

class Scheduler {
 public:
  // `gate`: of the context's model.
  // `head`: follows texts that run alone; may be null.
  Scheduler(llama_context* context, EvaluationGate& gate, const Limits& limits, Outbox& outbox,
            DraftHead* head = nullptr);

  void add(std::unique_ptr<Task> task);

  // A step would do nothing until something is added. No task waits for a slot that will never be
  // free: see refuse_waiting().
  bool idle() const { return running_.empty() && waiting_.empty(); }

  // Ends cancelled tasks, then calls llama_decode at most once for each set of adapters that the
  // generations have, and once for prompts. An exception of llama_decode passes through: what it
  // left half done is unknown, so the context has to be given up.
  void step();

  // Whether the batch being decoded is largely cancelled. ggml asks between operations, on the
  // thread that decodes.
  bool decoding_in_vain() const;

  Cache& cache() { return cache_; }

  // Any thread.
  const Counters& counters() const { return counters_; }

 private:
  void drop_cancelled();
  void admit();
  void refuse_waiting();
  bool better_wait(const Task& task) const;
  void gather();
  bool prompts_go_first() const;
  double max_pause() const;
  void generate(const AdapterSet* beside);
  void add_generating(const AdapterSet& adapters);
  void add_draft(Task& task);
  void add_prompts(const AdapterSet* adapters);
  AdapterSetPtr adapters_in_turn() const;
  std::vector<Task*> prefilling(const AdapterSet* adapters) const;
  bool media_due() const;
  PlanLimits prefill_limits() const;
  Task* next_prompt(const std::vector<Task*>& prefilling) const;
  void decode_batch();
  int32_t decode();
  void apply(const AdapterSetPtr& adapters);
  void roll_back();
  void measure(double decode_ms);
  void show_head();
  bool is_as_alone(const Task& task, int32_t count) const;
  void collect();
  bool answer(const Batch::Share& share);
  bool deliver(Task& task, int32_t output);
  void wipe_cache();
  void make_room();
  void fail_batch(int32_t status);
  int32_t coming_prefix(const Task& other, const Task& task) const;
  void release(Task& task);
  void forget_released();
  void count();

  llama_context* const context_;
  const int32_t vocabulary_size_;
  EvaluationGate& gate_;
  const Limits limits_;
  Outbox& outbox_;
  DraftHead* const head_;
  Cache cache_;  // before the tasks: some of them give their slot back in their destructor

  std::deque<std::unique_ptr<Task>> waiting_;
  std::vector<std::unique_ptr<Task>> running_;  // oldest first
  bool out_of_cells_ = false;                   // nobody may join until a running task ends
  bool drafts_fit_ = true;                      // false: no cells for them, as above
  bool spoilt_ = false;                         // cells may hold what is no number
  bool oldest_next_ = true;                     // whose turn it is: see next_prompt()

  Batch batch_;
  AdapterSetPtr applied_ = no_adapters();  // what the llama_context has
  StepTimes times_;
  PieceLimit piece_limit_;
  Counters counters_;
};

}  // namespace cria
