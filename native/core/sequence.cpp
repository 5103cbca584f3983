#include "sequence.h"

#include <utility>

#include "error.h"

namespace cria {

namespace {

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

Sequence::Sequence(const Vocabulary& vocabulary, std::shared_ptr<const Request> request)
    : vocabulary_(vocabulary), request_(std::move(request)), stream_(request_->stops) {
  if (request_->add_bos && vocabulary.bos() != LLAMA_TOKEN_NULL) {
    tokens_.push_back(vocabulary.bos());
  }
  for (const Request::Segment& segment : request_->segments) {
    if (const auto* text = std::get_if<std::string>(&segment)) {
      const Tokens tokens = vocabulary.tokenize(*text, /*special=*/false);
      tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    } else {
      const Tokens& tokens = std::get<Tokens>(segment);
      for (const llama_token token : tokens)
        vocabulary.check(token);
      tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    }
  }
  if (tokens_.empty()) {
    throw Error(code::kInvalidArgument,
                "Expected a prompt of at least one token, got none: the text is empty and this "
                "model has no beginning-of-text token.");
  }
  prompt_length_ = length();
  sampler_.emplace(vocabulary, request_->sampler, request_->seed);
  sampler_->accept_prompt(tokens_);
}

void Sequence::enter(llama_seq_id slot) {
  slot_ = slot;
  evaluated_ = 0;
  if (!entered_) entered_ = Clock::now();
}

void Sequence::leave() {
  slot_ = kNoSlot;
  evaluated_ = 0;
}

std::optional<Finish> Sequence::step(const float* logits, int32_t context_size, Outbox& outbox) {
  if (!prefilled_) prefilled_ = Clock::now();
  if (request_->max_tokens == 0) return finish(StopReason::kMaxTokens, outbox);
  if (length() >= context_size) return finish(StopReason::kContextFull, outbox);

  const llama_token token = sampler_->sample(logits);
  ++generated_;
  if (vocabulary_.ends_generation(token)) {
    stop_token_ = token;
    return finish(reason_of(token), outbox);
  }

  tokens_.push_back(token);
  piece_.clear();
  vocabulary_.append_piece(token, request_->special, piece_);
  outbox.piece(id(), token, stream_.push(piece_));
  if (stream_.stopped_by()) return finish(StopReason::kStopString, outbox);
  if (generated_ == request_->max_tokens) return finish(StopReason::kMaxTokens, outbox);
  if (length() >= context_size) return finish(StopReason::kContextFull, outbox);
  return std::nullopt;
}

Finish Sequence::finish(StopReason reason, Outbox& outbox) {
  outbox.text(id(), stream_.finish());
  const Clock::time_point now = Clock::now();
  const Clock::time_point entered = entered_.value_or(now);
  const Clock::time_point prefilled = prefilled_.value_or(now);
  Finish finish;
  finish.reason = reason;
  finish.stop_token = stop_token_;
  finish.stop_string = stream_.stopped_by();
  finish.prompt_tokens = prompt_length_;
  finish.completion_tokens = generated_;
  finish.queued_ms = ms_between(request_->submitted, entered);
  finish.prompt_ms = ms_between(entered, prefilled);
  finish.generation_ms = ms_between(prefilled, now);
  return finish;
}

// A model may use one token for two ends (instruct files have eos = eot): the narrower counts.
StopReason Sequence::reason_of(llama_token stop_token) const {
  if (stop_token == vocabulary_.eom()) return StopReason::kEndOfMessage;
  if (stop_token == vocabulary_.eot()) return StopReason::kEndOfTurn;
  return StopReason::kEndOfText;
}

}  // namespace cria
