#include "core/sampling/reasoning_budget.h"

#include <algorithm>

#include "core/model/utf8.h"

namespace cria {

ReasoningBudget::ReasoningBudget(const Vocabulary& vocabulary, const ReasoningLimit& limit)
    : vocabulary_(vocabulary), limit_(limit), longest_(limit.start.size()) {
  if (!limit_.ends.empty()) end_ = vocabulary.tokenize(limit_.ends.front(), /*special=*/true);
  for (const std::string& end : limit_.ends)
    longest_ = std::max(longest_, end.size());
  if (limit_.open) begin();
}

void ReasoningBudget::begin() {
  left_ = limit_.tokens;
  written_ = 0;
  state_ = left_ > 0 ? State::kCounting : State::kForcing;
}

std::optional<llama_token> ReasoningBudget::forced() const {
  if (state_ != State::kForcing || written_ >= end_.size()) return std::nullopt;
  return end_[written_];
}

void ReasoningBudget::accept(llama_token token) {
  if (state_ == State::kForcing) {
    // The grammar may want something else; it is asked again with the next token.
    written_ = forced() == token ? written_ + 1 : 0;
    behind_ = 0;
    if (written_ == end_.size()) state_ = State::kIdle;
    text_.clear();
    return;
  }
  vocabulary_.append_piece(token, /*special=*/true, text_);
  if (state_ == State::kIdle) {
    // Some models think several times in an answer; each time has the budget.
    if (passes(limit_.start)) begin();
  } else {
    const auto ends = [&](const std::string& mark) { return passes(mark); };
    if (std::any_of(limit_.ends.begin(), limit_.ends.end(), ends)) {
      state_ = State::kIdle;
    } else {
      if (left_ > 0) --left_;
      if (left_ == 0 && utf8::unfinished_tail(text_) == 0) state_ = State::kForcing;
    }
  }
  if (text_.size() > longest_) text_.erase(0, text_.size() - longest_);
}

bool ReasoningBudget::passes(const std::string& mark) {
  const size_t at = mark.empty() ? std::string::npos : text_.find(mark);
  if (at == std::string::npos) return false;
  behind_ = text_.size() - at;
  text_.erase(0, at + mark.size());
  return true;
}

}  // namespace cria
