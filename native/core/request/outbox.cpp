#include "core/request/outbox.h"

#include <utility>

namespace cria {

News& Outbox::of(RequestId id) {
  const auto [entry, added] = index_.try_emplace(id, news_.size());
  if (added) news_.emplace_back().id = id;
  return news_[entry->second];
}

void Outbox::piece(RequestId id, llama_token token, std::string_view text,
                   const std::vector<TokenLogprob>& logprobs) {
  std::lock_guard<std::mutex> lock(mutex_);
  News& news = of(id);
  news.tokens.push_back(token);
  news.text.append(text);
  news.logprobs.insert(news.logprobs.end(), logprobs.begin(), logprobs.end());
}

void Outbox::text(RequestId id, std::string_view text) {
  if (text.empty()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  of(id).text.append(text);
}

void Outbox::progress(RequestId id, int32_t evaluated, int32_t total) {
  std::lock_guard<std::mutex> lock(mutex_);
  News& news = of(id);
  news.evaluated = evaluated;
  news.total = total;
}

void Outbox::finish(RequestId id, Finish finish) {
  std::lock_guard<std::mutex> lock(mutex_);
  of(id).finish = std::move(finish);
}

void Outbox::answer(RequestId id, Answer answer) {
  std::lock_guard<std::mutex> lock(mutex_);
  of(id).answer = std::move(answer);
}

void Outbox::cancelled(RequestId id) {
  Answer answer;
  answer.cancelled = true;
  this->answer(id, std::move(answer));
}

void Outbox::fail(RequestId id, Failure failure) {
  std::lock_guard<std::mutex> lock(mutex_);
  of(id).failure = std::move(failure);
}

void Outbox::flush() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (woken_ || news_.empty()) return;
    woken_ = true;
  }
  wake_();
}

std::vector<News> Outbox::take() {
  std::lock_guard<std::mutex> lock(mutex_);
  woken_ = false;
  index_.clear();
  return std::exchange(news_, {});
}

}  // namespace cria
