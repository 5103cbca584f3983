// Continuous batching: every step decodes the next token of all that generate and a piece of the
// prompts that are due, samples, and tells the outbox. Tasks join and leave between steps. One
// thread: the context's.
//
//   waiting ──a slot, with the longest prefix that lies in any──► running: prefill in pieces, then
//      ▲                          │                               a token a step ──done──► outbox
//      └──── no cells left ───────┘  (shared layout: the youngest gives way, and starts again)
#pragma once

#include <llama.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/cache.h"
#include "core/engine/plan.h"
#include "core/engine/task.h"
#include "core/request/counters.h"
#include "core/request/outbox.h"

namespace cria {

// What the scheduler works within; fixed when the context is made.
struct Limits {
  int32_t context_size;  // tokens of one task
  int32_t sequences;     // decoded together
  int32_t batch;         // tokens of one llama_decode at most, at least `sequences`
  int32_t micro_batch;   // …and as a rule
  bool shared_cache;
  double copy_ms_per_token;     // about what copying it from slot to slot takes
  bool pads_prompts = false;    // separate layout: the ends of prompts may be padded
  int32_t least_piece = kTile;  // of a prompt that is evaluated beside generations
};

class Scheduler {
 public:
  Scheduler(llama_context* context, const Limits& limits, Outbox& outbox);

  void add(std::unique_ptr<Task> task);

  // A step would do nothing until something is added. Nobody waits for a slot that nobody will give
  // back: see refuse_waiting().
  bool idle() const { return running_.empty() && waiting_.empty(); }

  // Two llama_decodes at most. Ends what was cancelled first. What llama_decode throws leaves it:
  // nobody can tell what is half done then, and the context is to be given up.
  void step();

  // Whether what is being decoded is, for a good part, no longer wanted. Called by ggml between
  // operations, on the thread that decodes.
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
  void add_generating();
  void add_prompts();
  PlanLimits prefill_limits() const;
  Task* next_prompt(const std::vector<Task*>& prefilling);
  void decode_batch();
  int32_t decode();
  void roll_back();
  void measure(double decode_ms);
  void collect();
  bool deliver(const Batch::Share& share);
  void make_room();
  void fail_batch(int32_t status);
  void release(Task& task);
  void forget_released();
  void count();

  llama_context* const context_;
  const Limits limits_;
  Outbox& outbox_;
  Cache cache_;  // before the tasks, some of which give their slot back at their end

  std::deque<std::unique_ptr<Task>> waiting_;
  std::vector<std::unique_ptr<Task>> running_;  // oldest first
  bool out_of_cells_ = false;                   // until one of running_ ends, nobody may join
  bool oldest_next_ = true;  // whose turn it is: the oldest prompt's, or the nearest to its end

  Batch batch_;
  double step_ms_ = 0;               // of all that generate; measured, 0: not yet
  double prefill_ms_per_token_ = 0;  // likewise
  Counters counters_;
};

}  // namespace cria
