#include "core/speculation/speculation.h"

#include <algorithm>

namespace cria {

namespace {

// Before anything is known: a first draft of a few tokens.
constexpr double kFirstAcceptance = 0.7;
constexpr double kFirstOfForced = 0.9;
// The weight of the newest token in the running mean.
constexpr double kNewest = 0.1;

}  // namespace

Speculation::Speculation(const DraftRule& rule, const Tokens& prompt)
    : rule_(rule), of_text_(kFirstAcceptance), of_forced_(kFirstOfForced) {
  index_.update(prompt);
}

const Tokens& Speculation::draft(const Tokens& tokens, const Tokens& forced, int32_t room) {
  index_.update(tokens);
  if (forced.empty()) {
    index_.propose(tokens, rule_.most, proposal_);
  } else {
    proposal_ = forced;
  }
  acceptance_ = forced.empty() ? &of_text_ : &of_forced_;
  observed_ = 0;
  const bool certain = rule_.takes_forced && !forced.empty();
  const int32_t worth = certain ? rule_.most : worthwhile(*acceptance_);
  const auto count = std::min({static_cast<int32_t>(proposal_.size()), std::max(room, 0), worth});
  draft_.assign(proposal_.begin(), proposal_.begin() + count);
  return draft_;
}

void Speculation::observe(llama_token token) {
  if (observed_ == proposal_.size()) return;
  const bool right = proposal_[observed_] == token;
  *acceptance_ += kNewest * ((right ? 1.0 : 0.0) - *acceptance_);
  observed_ = right ? observed_ + 1 : proposal_.size();
}

void Speculation::count(int32_t proposed, int32_t accepted) {
  proposed_ += proposed;
  accepted_ += accepted;
}

// One more row pays as long as the chance that its token is accepted is worth more time than it
// takes: by the tokens that the batch is expected to give in its time.
int32_t Speculation::worthwhile(Acceptance acceptance) const {
  int32_t length = 0;
  double chance = acceptance;
  double tokens = 1;
  double time = 1;
  while (length < rule_.most && chance * time > rule_.row_cost * tokens) {
    tokens += chance;
    time += rule_.row_cost;
    chance *= acceptance;
    ++length;
  }
  return length;
}

}  // namespace cria
