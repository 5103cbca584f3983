// One request on its way: its tokens, how far they are evaluated, how its next token is chosen and
// what of its text may be shown. Prefill and decode are the same thing here: some tokens are not
// evaluated yet, and when they are, one more is sampled.
#pragma once

#include <llama.h>

#include <memory>
#include <optional>
#include <string>

#include "outbox.h"
#include "request.h"
#include "sampler.h"
#include "text_stream.h"
#include "vocabulary.h"

namespace cria {

class Sequence {
 public:
  static constexpr llama_seq_id kNoSlot = -1;

  // Tokenizes the prompt and builds the sampler: work for a thread that nobody waits for. Throws
  // what is wrong with either. Afterwards only the context's thread touches it.
  Sequence(const Vocabulary& vocabulary, std::shared_ptr<const Request> request);

  const Request& request() const { return *request_; }
  RequestId id() const { return request_->id; }
  bool cancelled() const { return request_->cancelled.load(std::memory_order_relaxed); }

  // Prompt and what was generated.
  const Tokens& tokens() const { return tokens_; }
  int32_t length() const { return static_cast<int32_t>(tokens_.size()); }
  int32_t prompt_length() const { return prompt_length_; }

  // Where its cache is, and how many of its tokens are in there. The scheduler's to write.
  llama_seq_id slot() const { return slot_; }
  int32_t evaluated() const { return evaluated_; }
  int32_t pending() const { return length() - evaluated_; }
  bool prefilling() const { return evaluated_ < prompt_length_ || pending() > 1; }
  void enter(llama_seq_id slot);
  void leave();
  void advance(int32_t count) { evaluated_ += count; }

  // Chooses the token that follows, tells the outbox, and returns how the generation ended, if it
  // did. `context_size`: tokens it may have in all.
  std::optional<Finish> step(const float* logits, int32_t context_size, Outbox& outbox);

  // Tells the outbox the text that was still held back.
  Finish finish(StopReason reason, Outbox& outbox);

 private:
  StopReason reason_of(llama_token stop_token) const;

  const Vocabulary& vocabulary_;
  const std::shared_ptr<const Request> request_;
  Tokens tokens_;
  int32_t prompt_length_ = 0;
  std::optional<Sampler> sampler_;
  TextStream stream_;

  llama_seq_id slot_ = kNoSlot;
  int32_t evaluated_ = 0;
  int32_t generated_ = 0;  // the stop token counts
  std::string piece_;      // reused
  llama_token stop_token_ = LLAMA_TOKEN_NULL;

  std::optional<Clock::time_point> entered_;    // first time in a slot
  std::optional<Clock::time_point> prefilled_;  // prompt evaluated
};

}  // namespace cria
