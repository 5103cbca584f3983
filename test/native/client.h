// A cria::Context as the binding has it: somebody who asks, and reads the news on another thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/engine/context.h"
#include "demo.h"

namespace demo {

using cria::Context;
using cria::ContextOptions;
using cria::News;
using cria::Request;
using cria::RequestId;

constexpr auto kPatience = std::chrono::seconds(120);

// Looks now and then for what no news tells of. Not in a loop that never rests: the threads that it
// waits for want the processors.
template <typename Condition>
void wait_for(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    CHECK(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

// All that was told of one request.
struct Story {
  std::string text;
  Tokens tokens;
  std::vector<int32_t> progress;
  std::optional<cria::Finish> finish;
  std::optional<cria::Answer> answer;
  std::optional<cria::Failure> failure;
};

inline ContextOptions small(int32_t sequences, int32_t context_size = 256) {
  ContextOptions options;
  options.context_size = context_size;
  options.sequences = sequences;
  options.kv_cache_size = context_size * sequences;
  options.batch_size = 512;
  options.micro_batch_size = 512;
  return options;
}

// A context and the thread that reads its news, as the binding would.
class Client {
 public:
  explicit Client(const ContextOptions& options, std::shared_ptr<cria::Model> on = model()) {
    Context::Events events;
    events.opened = [this](const cria::ContextInfo&) {
      computing_ = std::this_thread::get_id();
      set(&Client::opened_);
    };
    events.failed = [this](const cria::Failure& failure) {
      std::lock_guard<std::mutex> lock(mutex_);
      error_ = failure.code;
      changed_.notify_all();
    };
    events.news = [this] { set(&Client::news_); };
    events.closed = [this] { set(&Client::closed_); };
    context_ = std::make_unique<Context>(std::move(on), options, std::move(events));
  }

  void open() {
    wait([this] { return opened_ || !error_.empty(); });
    CHECK_EQ(error_, "");
  }

  std::shared_ptr<Request> submit(RequestId id, const std::function<void(Request&)>& fill) {
    auto request = std::make_shared<Request>();
    request->id = id;
    request->sampler = {cria::step::Greedy{}};
    fill(*request);
    context_->submit(request);
    return request;
  }

  using What = decltype(cria::Command::what);
  std::shared_ptr<cria::Command> submit(RequestId id, What what) {
    auto command = std::make_shared<cria::Command>();
    command->id = id;
    command->what = std::move(what);
    context_->submit(command);
    return command;
  }

  // What came of it.
  Story& carry_out(What what) {
    const RequestId id = next_command_++;
    submit(id, std::move(what));
    read_to_end({id});
    return stories[id];
  }
  cria::Answer answer(What what) {
    const Story& story = carry_out(std::move(what));
    CHECK_EQ(story.failure ? story.failure->message : "", "");
    return *story.answer;
  }
  // The code of its failure, and that it has one.
  std::string refusal(What what) {
    const Story& story = carry_out(std::move(what));
    CHECK(story.failure.has_value());
    return story.failure->code;
  }

  // Reads until `enough`, which sees every story.
  template <typename Enough>
  void read_until(const Enough& enough) {
    while (!enough()) {
      wait([this] { return news_; });
      {
        std::lock_guard<std::mutex> lock(mutex_);
        news_ = false;
      }
      for (News& news : context_->outbox().take())
        add(news);
    }
  }

  void read_to_end(const std::vector<RequestId>& ids) {
    read_until([&] {
      return std::all_of(ids.begin(), ids.end(), [&](RequestId id) { return ended(id); });
    });
  }

  bool ended(RequestId id) {
    const Story& story = stories[id];
    return story.finish || story.answer || story.failure;
  }
  // Until the context's thread has ended by itself: why it has.
  cria::Failure breakdown() {
    wait([this] { return closed_; });
    CHECK(context_->breakdown().has_value());
    return *context_->breakdown();
  }
  std::string opening_error() {
    wait([this] { return opened_ || !error_.empty(); });
    return error_;
  }
  // Of the context, once it is open.
  std::thread::id computing() const { return computing_; }
  Context& context() { return *context_; }
  void close() { context_.reset(); }

  std::map<RequestId, Story> stories;

 private:
  void set(bool Client::*flag) {
    std::lock_guard<std::mutex> lock(mutex_);
    this->*flag = true;
    changed_.notify_all();
  }

  template <typename Condition>
  void wait(const Condition& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    CHECK(changed_.wait_for(lock, kPatience, condition));
  }

  void add(News& news) {
    Story& story = stories[news.id];
    CHECK(!ended(news.id));
    story.text += news.text;
    story.tokens.insert(story.tokens.end(), news.tokens.begin(), news.tokens.end());
    if (news.evaluated >= 0) story.progress.push_back(news.evaluated);
    story.finish = std::move(news.finish);
    story.answer = std::move(news.answer);
    story.failure = std::move(news.failure);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool opened_ = false;
  bool news_ = false;
  bool closed_ = false;
  std::atomic<std::thread::id> computing_{};
  RequestId next_command_ = 1'000'000;
  std::string error_;
  std::unique_ptr<Context> context_;  // last: its thread uses the others
};

// A generation that no stop token ends, as long as the context has room.
inline void endless(Request& request) {
  request.prompt.segments = {Tokens{1, 2, 3}};
  cria::step::LogitBias never;
  for (llama_token token = 0; token < model()->vocabulary().size(); ++token) {
    if (model()->vocabulary().ends_generation(token)) never.biases.push_back({token, -INFINITY});
  }
  request.sampler = {never, cria::step::Greedy{}};
}

}  // namespace demo
