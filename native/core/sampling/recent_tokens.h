// The set of the last tokens of a text: those whose logits the steps that look back can change.
#pragma once

#include <llama.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <unordered_map>

namespace cria {

class RecentTokens {
 public:
  // `window`: how many of the last tokens count.
  void widen(size_t window) { window_ = std::max(window_, window); }
  size_t window() const { return window_; }

  void push(llama_token token) {
    if (window_ == 0) return;
    if (order_.size() == window_) {
      const auto oldest = counts_.find(order_.front());
      if (--oldest->second == 0) counts_.erase(oldest);
      order_.pop_front();
    }
    order_.push_back(token);
    ++counts_[token];
  }

  // Each token once, with how often it occurs.
  const std::unordered_map<llama_token, int>& different() const { return counts_; }

 private:
  size_t window_ = 0;
  std::deque<llama_token> order_;
  std::unordered_map<llama_token, int> counts_;
};

}  // namespace cria
