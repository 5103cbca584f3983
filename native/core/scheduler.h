// Continuous batching: every step decodes the next token of all that generate, then a piece of a
// prompt, samples, and tells the outbox. Requests join and leave between steps. One thread: the
// context's.
//
//   waiting ──enter a slot──► running: prefill in pieces, then a token a step ──finish──► outbox
//      ▲                          │
//      └──── no cells left ───────┘  (shared layout: the youngest gives way, and starts again)
#pragma once

#include <llama.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "outbox.h"
#include "sequence.h"

namespace cria {

// What the scheduler works within; fixed when the context is made.
struct Limits {
  int32_t context_size;  // tokens of one generation
  int32_t sequences;     // decoded together
  int32_t batch;         // tokens of one llama_decode at most, at least `sequences`
  int32_t micro_batch;   // …and as a rule
};

class Scheduler {
 public:
  Scheduler(llama_context* context, const Limits& limits, Outbox& outbox);

  void add(std::unique_ptr<Sequence> sequence);

  bool idle() const { return waiting_.empty() && running_.empty(); }

  // Two llama_decodes at most. Ends what was cancelled first.
  void step();

  // Ends everything with this error.
  void fail_all(const char* code, const std::string& message);

  // Whether what is being decoded is, for a good part, no longer wanted. Called by ggml between
  // operations, on the thread that decodes.
  bool decoding_in_vain() const;

  // Any thread.
  struct Counters {
    std::atomic<int32_t> active{0};
    std::atomic<int32_t> waiting{0};
    std::atomic<int64_t> cached_tokens{0};
    std::atomic<int64_t> decoded_tokens{0};
    std::atomic<int64_t> batches{0};
  };
  const Counters& counters() const { return counters_; }

 private:
  // A sequence's share of the batch.
  struct Share {
    Sequence* sequence;
    int32_t count;
    int32_t output;  // index in the batch of the token whose logits are wanted, -1: none
  };

  void drop_cancelled();
  void start_waiting();
  void clear_batch();
  bool fill_with_generations();
  bool fill_with_prompt(bool others_generate);
  void add_share(Sequence& sequence, int32_t count);
  int32_t piece_of(const Sequence& sequence, bool others_generate) const;
  void decode_batch();
  int32_t decode();
  void roll_back();
  void collect(double decode_ms);
  void deliver(const Share& share);
  void make_room();
  void fail_batch(const std::string& message);
  void release(Sequence& sequence);
  void forget_released();
  void count();

  llama_context* const context_;
  llama_memory_t const memory_;
  const Limits limits_;
  Outbox& outbox_;

  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // oldest first
  std::vector<bool> slot_taken_;                    // by llama_seq_id
  bool out_of_cells_ = false;                       // until one of running_ ends, nobody may join
  bool broken_ = false;  // an assertion of ggml failed: nothing is accepted any more

  // The batch: arrays as llama_batch wants them, reserved once.
  std::vector<llama_token> batch_tokens_;
  std::vector<llama_pos> batch_positions_;
  std::vector<int32_t> batch_slot_counts_;  // all 1
  std::vector<llama_seq_id> batch_slots_;
  std::vector<llama_seq_id*> batch_slot_pointers_;  // into batch_slots_
  std::vector<int8_t> batch_outputs_;
  std::vector<Share> shares_;

  double prefill_ms_per_token_ = 0;  // measured, 0: not yet
  Counters counters_;
};

}  // namespace cria
