#include "core/engine/generation.h"

#include <algorithm>
#include <utility>

#include "core/media/media_token.h"

namespace cria {

namespace {

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

Generation::Generation(const Vocabulary& vocabulary, std::shared_ptr<const Request> request,
                       PreparedPrompt prompt, bool checkpoints, const DraftRule& drafts)
    : Task(request, std::move(prompt), vocabulary, checkpoints, request->adapters),
      vocabulary_(vocabulary),
      request_(std::move(request)),
      sampler_(vocabulary, request_->sampler, request_->seed),
      stream_(request_->stops) {
  sampler_.accept_prompt(has_media() ? without_media(tokens()) : tokens());
  for (const std::string& text : request_->shown) {
    const llama_token token = vocabulary.by_text(text);
    if (token != LLAMA_TOKEN_NULL) shown_.push_back(token);
  }
  if (request_->reasoning) reasoning_.emplace(vocabulary, *request_->reasoning);
  if (reasoning_ && reasoning_->thinks()) sampler_.thinks();
  // Neither n-grams nor a draft model know what media mean.
  if (drafts.most > 0 && !has_media()) speculation_.emplace(drafts, tokens());
}

void Generation::enter(Slot slot, int32_t evaluated) {
  Task::enter(slot, evaluated);
  if (entered_) return;
  entered_ = Clock::now();
  cached_ = evaluated;
}

const Tokens& Generation::draft(int32_t room) {
  if (!speculation_) return kNoTokens;
  const int32_t wanted = request_->max_tokens - generated_ - 1;
  look_ahead();
  return speculation_->draft(tokens(), forced_,
                             request_->max_tokens < 0 ? room : std::min(room, wanted));
}

void Generation::drafted(int32_t proposed, int32_t accepted) {
  if (speculation_) speculation_->count(proposed, accepted);
}

bool Generation::step(const float* logits, int32_t context_size, Outbox& outbox) {
  if (!prefilled_) prefilled_ = Clock::now();
  if (request_->max_tokens == 0) return finish(StopReason::kMaxTokens, outbox);
  if (length() >= context_size) return finish(StopReason::kContextFull, outbox);

  const llama_token token = next(logits);
  ++generated_;
  if (vocabulary_.ends_generation(token)) {
    stop_token_ = token;
    return finish(reason_of(token), outbox);
  }

  add(token);
  if (speculation_) speculation_->observe(token);
  piece_.clear();
  vocabulary_.append_piece(token, shows(token), piece_);
  logprobs_.clear();
  if (request_->logprobs >= 0) {
    top_logprobs(logits, vocabulary_.size(), token, request_->logprobs, logprobs_);
  }
  outbox.piece(id(), token, stream_.push(piece_), logprobs_);
  if (stream_.stopped_by()) return finish(StopReason::kStopString, outbox);
  if (generated_ == request_->max_tokens) return finish(StopReason::kMaxTokens, outbox);
  if (length() >= context_size) return finish(StopReason::kContextFull, outbox);
  return false;
}

llama_token Generation::next(const float* logits) {
  std::optional<llama_token> forced = reasoning_ ? reasoning_->forced() : std::nullopt;
  if (!forced && takes_forced()) {
    if (forced_.empty()) look_ahead();
    if (!forced_.empty()) forced = forced_.front();
  }
  const bool takes = forced && sampler_.take(*forced);
  const llama_token token = takes ? *forced : sampler_.sample(logits);
  if (reasoning_) think(token);
  if (!forced_.empty() && forced_.front() == token) {
    forced_.erase(forced_.begin());
  } else {
    forced_.clear();
  }
  return token;
}

void Generation::think(llama_token token) {
  const bool before = reasoning_->thinks();
  reasoning_->accept(token);
  const bool thinks = reasoning_->thinks();
  if (thinks && !before) sampler_.thinks();
  if (!thinks && before) sampler_.answers(reasoning_->behind());
}

// What is certain stays so: only where nothing is known is the grammar asked.
void Generation::look_ahead() {
  if (forced_.empty()) sampler_.forced(speculation_->rule().most, forced_);
}

bool Generation::shows(llama_token token) const {
  return request_->special || std::find(shown_.begin(), shown_.end(), token) != shown_.end();
}

// What was generated so far is kept.
bool Generation::end_without_room(Outbox& outbox) {
  return generated_ > 0 && finish(StopReason::kContextFull, outbox);
}

// Also releases the text that was held back for stop strings.
bool Generation::finish(StopReason reason, Outbox& outbox) {
  outbox.text(id(), stream_.finish());
  const Clock::time_point now = Clock::now();
  const Clock::time_point entered = entered_.value_or(now);
  const Clock::time_point prefilled = prefilled_.value_or(now);
  Finish finish;
  finish.reason = reason;
  finish.stop_token = stop_token_;
  finish.stop_string = stream_.stopped_by();
  finish.prompt_tokens = prompt_length();
  finish.cached_tokens = cached_;
  finish.completion_tokens = generated_;
  if (speculation_) finish.drafts = {speculation_->proposed(), speculation_->accepted()};
  finish.queued_ms = ms_between(request_->submitted, entered);
  finish.prompt_ms = ms_between(entered, prefilled);
  finish.generation_ms = ms_between(prefilled, now);
  outbox.finish(id(), std::move(finish));
  return true;
}

// A model may use one token for two purposes (instruct files have eos = eot): the narrower one
// counts.
StopReason Generation::reason_of(llama_token stop_token) const {
  if (stop_token == vocabulary_.eom()) return StopReason::kEndOfMessage;
  if (stop_token == vocabulary_.eot()) return StopReason::kEndOfTurn;
  return StopReason::kEndOfText;
}

}  // namespace cria
