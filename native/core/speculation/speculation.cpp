#include "core/speculation/speculation.h"

#include <algorithm>

namespace cria {

namespace {

// Before anything is known: a first draft of a few tokens.
constexpr double kFirstAcceptance = 0.7;
constexpr double kFirstOfEdited = 0.5;
constexpr double kFirstOfForced = 0.9;
// The weight of the newest token in the running mean.
constexpr double kNewest = 0.1;
// How many tokens of a source are looked at, each way, for where an edit goes on.
constexpr int32_t kNearby = 8;
// For how many tokens a drafter that guessed wrong is left alone.
constexpr int32_t kUnasked = 32;

}  // namespace

Speculation::Speculation(const DraftRule& rule, const Tokens& prompt)
    : rule_(rule),
      of_text_(kFirstAcceptance),
      of_edited_(kFirstOfEdited),
      of_drafter_(kFirstAcceptance),
      of_forced_(kFirstOfForced) {
  if (rule_.drafter == nullptr) index_.update(prompt);
}

const Tokens& Speculation::draft(const Tokens& tokens, const Tokens& forced, int32_t room) {
  observed_ = 0;
  if (!forced.empty()) {
    proposal_ = forced;
    acceptance_ = &of_forced_;
  } else if (rule_.drafter != nullptr) {
    ask_drafter(tokens, room);
  } else {
    index_.update(tokens);
    propose(tokens);
  }
  const bool certain = rule_.takes_forced && !forced.empty();
  const int32_t worth = certain ? rule_.most : worthwhile(*acceptance_);
  const auto count = std::min({static_cast<int32_t>(proposal_.size()), std::max(room, 0), worth});
  draft_.assign(proposal_.begin(), proposal_.begin() + count);
  return draft_;
}

// What followed where the text's last tokens stood before; if they are new, but only just, what
// stands behind as many tokens of what was repeated until then. Where a text repeats itself, that
// goes beyond its end.
void Speculation::propose(const Tokens& tokens) {
  proposal_.clear();
  const int32_t found = index_.find(tokens);
  if (found != NgramIndex::kNowhere) {
    source_ = found;
    unmatched_ = 0;
    acceptance_ = &of_text_;
  } else {
    // Behind so many tokens an n-gram would have matched there.
    if (++unmatched_ > NgramIndex::kLength) source_ = NgramIndex::kNowhere;
    if (source_ == NgramIndex::kNowhere) return;
    if (unmatched_ > 1) find_nearby(tokens);
    acceptance_ = &of_edited_;
  }
  const auto length = static_cast<int32_t>(tokens.size());
  for (int32_t i = source_; i < source_ + rule_.most; ++i)
    proposal_.push_back(i < length ? tokens[i] : proposal_[i - length]);
}

// No more than is worth it: unlike those of n-grams, its guesses take time. Where they have failed,
// it is asked again now and then, since nothing else tells whether they would now be right.
void Speculation::ask_drafter(const Tokens& tokens, int32_t room) {
  acceptance_ = &of_drafter_;
  proposal_.clear();
  if (worthwhile(of_drafter_) == 0) {
    if (++unasked_ < kUnasked) return;
    of_drafter_ = kFirstAcceptance;
  }
  unasked_ = 0;
  rule_.drafter->propose(tokens, std::min(room, worthwhile(of_drafter_)), proposal_);
}

// Some tokens may have been left out, or put in between: the last one may stand a little further
// on, or back.
void Speculation::find_nearby(const Tokens& tokens) {
  const auto length = static_cast<int32_t>(tokens.size());
  for (int32_t distance = 0; distance <= kNearby; ++distance) {
    for (const int32_t place : {source_ + distance, source_ - distance}) {
      if (place < 1 || place >= length || tokens[place - 1] != tokens.back()) continue;
      source_ = place;
      return;
    }
  }
}

void Speculation::observe(llama_token token) {
  if (source_ != NgramIndex::kNowhere) ++source_;
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
