// A task that continues its prompt: chooses the next token, decides which of its text may be shown,
// and when it ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/engine/task.h"
#include "core/model/text_stream.h"
#include "core/sampling/sampler.h"
#include "core/speculation/speculation.h"

namespace cria {

class Generation : public Task {
 public:
  // Builds the sampler, which takes time: not on the JS thread, nor on the context's. Throws if it
  // is invalid. `prompt`: the request's.
  Generation(const Vocabulary& vocabulary, std::shared_ptr<const Request> request,
             PreparedPrompt prompt, bool checkpoints, const DraftRule& drafts);

  void enter(Slot slot, int32_t evaluated) override;
  Reuse reuse() const override { return request_->reuse; }
  bool reports_progress() const override { return request_->progress; }
  double max_pause() const override { return request_->max_pause; }
  const Tokens& draft(int32_t room) override;
  bool is_guessed() const override { return speculation_.has_value(); }
  void drafted(int32_t proposed, int32_t accepted) override;
  bool step(const float* logits, int32_t context_size, Outbox& outbox) override;
  void cancel(Outbox& outbox) override { finish(StopReason::kCancelled, outbox); }
  bool end_without_room(Outbox& outbox) override;

 private:
  bool finish(StopReason reason, Outbox& outbox);
  StopReason reason_of(llama_token stop_token) const;
  llama_token next(const float* logits);
  bool takes_forced() const { return speculation_ && speculation_->rule().takes_forced; }
  void look_ahead();
  void think(llama_token token);
  bool shows(llama_token token) const;

  const Vocabulary& vocabulary_;
  const std::shared_ptr<const Request> request_;
  Sampler sampler_;
  std::optional<ReasoningBudget> reasoning_;
  std::optional<Speculation> speculation_;
  Tokens forced_;  // what a grammar leaves to come, as far as it was looked for
  TextStream stream_;

  int32_t generated_ = 0;               // the stop token counts
  int32_t cached_ = 0;                  // of the prompt, at the first entry
  Tokens shown_;                        // control tokens that are shown as text
  std::string piece_;                   // reused
  std::vector<TokenLogprob> logprobs_;  // reused
  llama_token stop_token_ = LLAMA_TOKEN_NULL;

  std::optional<Clock::time_point> entered_;    // first time in a slot
  std::optional<Clock::time_point> prefilled_;  // prompt evaluated
};

}  // namespace cria
