// cria::Context without JS: many generations at once, cancelled, ended and torn down in every
// phase.
//
//   cria-context-test MODEL [tests…]      a GGUF model that can generate; small ones are quick

#include "core/context.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/backend.h"
#include "core/model.h"
#include "harness.h"

using cria::Context;
using cria::ContextOptions;
using cria::News;
using cria::Request;
using cria::RequestId;
using cria::StopReason;
using cria::Tokens;
namespace step = cria::step;

namespace {

std::shared_ptr<cria::Model> g_model;

constexpr auto kPatience = std::chrono::seconds(120);

// All that was told of one request.
struct Story {
  std::string text;
  Tokens tokens;
  std::vector<int32_t> progress;
  std::optional<cria::Finish> finish;
  std::optional<cria::Failure> failure;
};

ContextOptions small(int32_t sequences, int32_t context_size = 256) {
  ContextOptions options;
  options.context_size = context_size;
  options.sequences = sequences;
  options.cache_size = context_size * sequences;
  options.batch_size = 512;
  options.micro_batch_size = 512;
  options.threads = 1;  // two that wait for each other are slow beside other processes
  return options;
}

// A context and the thread that reads its news, as the binding would.
class Client {
 public:
  explicit Client(const ContextOptions& options) {
    Context::Events events;
    events.opened = [this](const cria::ContextInfo&) { set(&Client::opened_); };
    events.failed = [this](const cria::Error& error) {
      std::lock_guard<std::mutex> lock(mutex_);
      error_ = error.code();
      changed_.notify_all();
    };
    events.news = [this] { set(&Client::news_); };
    events.closed = [] {};
    context_ = std::make_unique<Context>(g_model, options, std::move(events));
  }

  void open() {
    wait([this] { return opened_ || !error_.empty(); });
    CHECK_EQ(error_, "");
  }

  std::shared_ptr<Request> submit(RequestId id, const std::function<void(Request&)>& fill) {
    auto request = std::make_shared<Request>();
    request->id = id;
    request->sampler = {step::Greedy{}};
    fill(*request);
    context_->submit(request);
    return request;
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

  bool ended(RequestId id) { return stories[id].finish || stories[id].failure; }
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
    story.failure = std::move(news.failure);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool opened_ = false;
  bool news_ = false;
  std::string error_;
  std::unique_ptr<Context> context_;  // last: its thread uses the others
};

Tokens random_prompt(std::mt19937& random, size_t length) {
  Tokens prompt(length);
  for (llama_token& token : prompt) {
    do {
      token =
          static_cast<llama_token>(random() % static_cast<uint32_t>(g_model->vocabulary().size()));
    } while (g_model->vocabulary().ends_generation(token));
  }
  return prompt;
}

std::vector<Tokens> random_prompts(size_t count) {
  std::mt19937 random(11);
  std::vector<Tokens> prompts;
  for (size_t i = 0; i < count; ++i)
    prompts.push_back(random_prompt(random, 1 + random() % 150));
  return prompts;
}

std::vector<Story> run(Client& client, const std::vector<Tokens>& prompts, int32_t max_tokens) {
  std::vector<RequestId> ids;
  for (const Tokens& prompt : prompts) {
    ids.push_back(static_cast<RequestId>(ids.size() + 1));
    client.submit(ids.back(), [&](Request& request) {
      request.prompt.segments = {prompt};
      request.max_tokens = max_tokens;
    });
  }
  client.read_to_end(ids);
  std::vector<Story> stories;
  for (const RequestId id : ids)
    stories.push_back(client.stories[id]);
  return stories;
}

// A generation that no stop token ends, as long as the context has room.
void endless(Request& request) {
  request.prompt.segments = {Tokens{1, 2, 3}};
  step::LogitBias never;
  for (llama_token token = 0; token < g_model->vocabulary().size(); ++token) {
    if (g_model->vocabulary().ends_generation(token)) never.biases.push_back({token, -INFINITY});
  }
  request.sampler = {never, step::Greedy{}};
}

}  // namespace

TEST(many_at_once_say_what_each_says_alone) {
  const std::vector<Tokens> prompts = random_prompts(12);
  Client together(small(5));
  together.open();
  const std::vector<Story> stories = run(together, prompts, 40);
  for (size_t i = 0; i < prompts.size(); ++i) {
    Client alone(small(1));
    alone.open();
    const Story story = run(alone, {prompts[i]}, 40)[0];
    CHECK(story.finish && stories[i].finish);
    CHECK(stories[i].tokens == story.tokens);
    CHECK_EQ(stories[i].text, story.text);
    CHECK(stories[i].finish->reason == story.finish->reason);
    CHECK_EQ(stories[i].finish->prompt_tokens, static_cast<int32_t>(prompts[i].size()));
  }
}

TEST(a_shared_cache_that_is_too_small_for_all_serves_all) {
  ContextOptions options = small(4);
  options.shared_cache = true;
  options.cache_size = 256;
  Client client(options);
  client.open();
  std::vector<RequestId> ids;
  std::mt19937 random(5);
  for (RequestId id = 1; id <= 8; ++id) {
    client.submit(id, [&](Request& request) {
      endless(request);
      request.prompt.segments = {random_prompt(random, 90)};
      request.max_tokens = 30;
    });
    ids.push_back(id);
  }
  client.read_to_end(ids);
  for (const RequestId id : ids) {
    CHECK(client.stories[id].finish.has_value());
    CHECK(client.stories[id].finish->reason == StopReason::kMaxTokens);
    CHECK_EQ(client.stories[id].tokens.size(), size_t{30});
  }
}

TEST(progress_rises_to_the_end_of_the_prompt) {
  ContextOptions options = small(1);
  options.micro_batch_size = 64;
  Client client(options);
  client.open();
  std::mt19937 random(6);
  client.submit(1, [&](Request& request) {
    request.prompt.segments = {random_prompt(random, 200)};
    request.max_tokens = 1;
    request.progress = true;
  });
  client.read_to_end({1});
  const std::vector<int32_t>& progress = client.stories[1].progress;
  CHECK(!progress.empty());
  CHECK(std::is_sorted(progress.begin(), progress.end()));
  CHECK_EQ(progress.back(), 200);
}

TEST(a_generation_ends_where_the_context_does) {
  Client client(small(2));
  client.open();
  client.submit(1, endless);
  std::mt19937 random(8);
  client.submit(2,
                [&](Request& request) { request.prompt.segments = {random_prompt(random, 257)}; });
  client.submit(3, [&](Request& request) { request.prompt.segments = {Tokens{-1}}; });
  client.submit(4, [&](Request& request) {
    endless(request);
    request.max_tokens = 0;
  });
  client.read_to_end({1, 2, 3, 4});
  CHECK(client.stories[1].finish->reason == StopReason::kContextFull);
  CHECK_EQ(client.stories[1].tokens.size(), size_t{256 - 3});
  CHECK_EQ(client.stories[2].failure->code, "ERR_CONTEXT_FULL");
  CHECK_EQ(client.stories[3].failure->code, "ERR_INVALID_ARGUMENT");
  CHECK(client.stories[4].finish->reason == StopReason::kMaxTokens);
  CHECK(client.stories[4].tokens.empty());
}

TEST(cancelled_while_it_waits_prefills_or_generates) {
  Client client(small(2, 1024));
  client.open();
  const auto cancel = [&](const std::shared_ptr<Request>& request) {
    request->cancelled = true;
    client.context().interrupt();
  };
  std::mt19937 random(9);
  const auto untouched = client.submit(1, [](Request& request) {
    endless(request);
    request.max_tokens = 300;
  });
  const auto prefilling = client.submit(2, [&](Request& request) {
    request.prompt.segments = {random_prompt(random, 1000)};
    request.progress = true;
  });
  const auto waiting = client.submit(3, endless);
  client.read_until([&] { return !client.stories[2].progress.empty(); });
  cancel(prefilling);
  cancel(waiting);
  client.read_to_end({2, 3});
  const auto generating = client.submit(4, endless);
  client.read_until([&] { return client.stories[4].tokens.size() >= 3; });
  cancel(generating);
  client.read_to_end({1, 4});

  for (const RequestId id : {2, 3, 4}) {
    CHECK(client.stories[id].finish->reason == StopReason::kCancelled);
  }
  CHECK(client.stories[2].tokens.empty());
  CHECK(client.stories[3].tokens.empty());
  CHECK_EQ(client.stories[4].finish->completion_tokens,
           static_cast<int32_t>(client.stories[4].tokens.size()));
  CHECK(client.stories[1].finish->reason == StopReason::kMaxTokens);
  CHECK_EQ(client.stories[1].tokens.size(), size_t{300});

  Client alone(small(1, 1024));
  alone.open();
  alone.submit(1, [](Request& request) {
    endless(request);
    request.max_tokens = 300;
  });
  alone.read_to_end({1});
  CHECK(alone.stories[1].tokens == client.stories[1].tokens);
}

TEST(closed_in_every_phase) {
  std::mt19937 random(10);
  for (int round = 0; round < 40; ++round) {
    ContextOptions options = small(2, 512);
    options.threads = 2;
    Client client(options);
    if (round % 4 != 0) client.open();
    if (round % 4 >= 2) {
      for (RequestId id = 1; id <= 4; ++id) {
        client.submit(id, [&](Request& request) {
          endless(request);
          if (id % 2 == 0) request.prompt.segments = {random_prompt(random, 500)};
        });
      }
    }
    if (round % 4 == 3) client.read_until([&] { return !client.stories[1].tokens.empty(); });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
    client.close();
  }
}

TEST(contexts_on_one_model_at_the_same_time) {
  const std::vector<Tokens> prompts = random_prompts(4);
  std::vector<std::vector<Story>> told(3);
  std::vector<std::thread> threads;
  for (std::vector<Story>& stories : told) {
    threads.emplace_back([&] {
      Client client(small(2));
      client.open();
      stories = run(client, prompts, 16);
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const std::vector<Story>& stories : told) {
    for (size_t i = 0; i < prompts.size(); ++i) {
      CHECK(stories[i].finish && stories[i].tokens == told[0][i].tokens);
    }
  }
}

int main(int argc, char** argv) {
  cria::backend::start();
  try {
    if (argc < 2) throw std::runtime_error("usage: cria-context-test MODEL [tests]");
    cria::ModelOptions options;
    options.path = argv[1];
    g_model = cria::Model::load(options, [](float) { return true; });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  const int status = harness::run(argc - 1, argv + 1);
  g_model.reset();
  return status;
}
