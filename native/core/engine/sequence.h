// A sequence that its user drives by hand. It holds one slot of the cache as long as it lives. The
// context's thread only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/engine/cache.h"
#include "core/engine/task.h"
#include "core/request/command.h"
#include "core/sampling/sampler.h"

namespace cria {

class Sequence {
 public:
  // `slot` is in use, and empty or filled for the first tokens to come.
  Sequence(const Vocabulary& vocabulary, Cache& cache, Slot slot, AdapterSetPtr adapters);
  // A copy of the other one. Throws ERR_OUT_OF_MEMORY if the cells cannot be copied.
  Sequence(const Sequence& other, Slot slot);
  ~Sequence();
  Sequence& operator=(const Sequence&) = delete;

  Slot slot() const { return slot_; }
  Cache& cache() const { return cache_; }
  const AdapterSetPtr& adapters() const { return adapters_; }
  // Its tokens. The cache may lack the last ones, which are evaluated when they are needed.
  const Tokens& tokens() const { return tokens_; }

  // Those of the last token; empty if unknown.
  const std::vector<float>& logits() const { return logits_; }

  // Sets its tokens, all of which have been evaluated.
  void evaluated(const Tokens& tokens, const float* logits, int32_t vocabulary_size);
  // Removes what the cache holds beyond its tokens.
  void undo();
  void trim(int32_t length);
  std::vector<uint8_t> state() const { return cache_.state(slot_); }
  // Throws ERR_STATE_INVALID, and is then unchanged.
  void restore(const Tokens& tokens, const std::vector<uint8_t>& state);

  // Samples from its logits, which must be known. The chain is kept for the next call.
  llama_token sample(const command::Sample& sample);

  // The evaluation that runs, if one does.
  std::shared_ptr<Command> running;

 private:
  // A chain of samplers that was used here, and how much of the sequence it has seen.
  struct Chain {
    Sampler sampler;
    size_t seen = 0;
    llama_token chosen = LLAMA_TOKEN_NULL;  // its last choice, which may not be in the sequence yet
  };

  void catch_up(Chain& chain) const;

  const Vocabulary& vocabulary_;
  Cache& cache_;
  const Slot slot_;
  const AdapterSetPtr adapters_;
  Tokens tokens_;
  std::vector<float> logits_;
  std::unordered_map<int32_t, Chain> chains_;
};

// Evaluates a sequence's tokens and `more`. Then `complete` makes the command's answer.
class Evaluation : public Task {
 public:
  using Complete = std::function<Answer(Sequence&)>;

  Evaluation(std::shared_ptr<Command> command, std::shared_ptr<Sequence> sequence,
             const Tokens& more, int32_t vocabulary_size, Complete complete);
  ~Evaluation() override;

  bool owns_slot() const override { return true; }
  Reuse reuse() const override { return Reuse::kNone; }
  // Where the user may want to come back to: the end of what was evaluated at once.
  bool at_checkpoint(int32_t) const override { return pending() == 0 && more_ >= kWorthCheckpoint; }
  bool step(const float* logits, int32_t context_size, Outbox& outbox) override;
  void cancel(Outbox& outbox) override { outbox.cancelled(id()); }

 private:
  // Fewer tokens are sooner evaluated again.
  static constexpr int32_t kWorthCheckpoint = 16;

  const std::shared_ptr<Sequence> sequence_;
  const int32_t more_;
  const int32_t vocabulary_size_;
  const Complete complete_;
};

}  // namespace cria
