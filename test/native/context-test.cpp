// cria::Context without JS: many generations at once, cancelled, ended and torn down in every
// phase.
//
//   cria-context-test MODEL [tests…]      a GGUF model that can generate; small ones are quick

#include <algorithm>
#include <random>
#include <thread>

#include "client.h"

using cria::RequestId;
using cria::StopReason;
using cria::Tokens;
using demo::Client;
using demo::ContextOptions;
using demo::endless;
using demo::random_tokens;
using demo::Request;
using demo::small;
using demo::Story;

namespace {

std::vector<Tokens> random_prompts(size_t count) {
  std::mt19937 random(11);
  std::vector<Tokens> prompts;
  for (size_t i = 0; i < count; ++i)
    prompts.push_back(random_tokens(random, 1 + random() % 150));
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

TEST(a_unified_kv_cache_that_is_too_small_for_all_serves_all) {
  ContextOptions options = small(4);
  options.unified_kv_cache = true;
  options.kv_cache_size = 256;
  Client client(options);
  client.open();
  std::vector<RequestId> ids;
  std::mt19937 random(5);
  for (RequestId id = 1; id <= 8; ++id) {
    client.submit(id, [&](Request& request) {
      endless(request);
      request.prompt.segments = {random_tokens(random, 90)};
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
    request.prompt.segments = {random_tokens(random, 200)};
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
                [&](Request& request) { request.prompt.segments = {random_tokens(random, 257)}; });
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
    request.prompt.segments = {random_tokens(random, 1000)};
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
    if (round % 3 == 0) options.threads = 2;
    Client client(options);
    if (round % 4 != 0) client.open();
    if (round % 4 >= 2) {
      for (RequestId id = 1; id <= 4; ++id) {
        client.submit(id, [&](Request& request) {
          endless(request);
          if (id % 2 == 0) request.prompt.segments = {random_tokens(random, 500)};
        });
      }
    }
    if (round % 4 == 3) client.read_until([&] { return !client.stories[1].tokens.empty(); });
    // Somewhere in the phase, which is different each time: whatever that is, it has to close.
    for (uint32_t turns = random() % 500; turns > 0; --turns)
      std::this_thread::yield();
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

// llama.cpp asserts that a batch has no more rows of logits than its context was made for.
TEST(scores_of_many_rows_at_once) {
  constexpr int32_t kRows = cria::command::kMostRowsOfScore;
  std::mt19937 random(12);
  std::vector<cria::command::Score> scores;
  for (int i = 0; i < 40; ++i) {
    const auto length = static_cast<size_t>(kRows) + 1 + random() % 3;
    scores.push_back({{{random_tokens(random, length)}, false},
                      Tokens(static_cast<size_t>(kRows), 5),
                      std::vector<int32_t>(static_cast<size_t>(kRows), 1)});
  }
  for (const bool unified : {false, true}) {
    ContextOptions options = small(24);
    options.unified_kv_cache = unified;
    Client client(options);
    client.open();
    std::vector<RequestId> ids;
    for (const cria::command::Score& score : scores) {
      ids.push_back(static_cast<RequestId>(ids.size() + 1));
      client.submit(ids.back(), score);
    }
    client.read_to_end(ids);
    for (const RequestId id : ids) {
      CHECK_EQ(client.stories[id].failure ? client.stories[id].failure->message : "", "");
      CHECK_EQ(client.stories[id].answer->values->size(), static_cast<size_t>(kRows));
    }
    cria::command::Score longer{
        {{random_tokens(random, 70)}, false}, Tokens(65, 5), std::vector<int32_t>(65, 1)};
    CHECK_EQ(client.refusal(longer), "ERR_INVALID_ARGUMENT");
  }
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
