// The two classes that bring work and news from one thread to another.

#include "core/request/outbox.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/model/worker.h"
#include "harness.h"

using cria::Finish;
using cria::News;
using cria::Outbox;
using cria::RequestId;
using cria::StopReason;
using cria::Worker;

namespace {

// Lets a job wait until the test says so.
class Gate {
 public:
  void open() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace

TEST(news_of_a_request_are_joined) {
  Outbox outbox([] {});
  outbox.piece(7, 1, "a ", {});
  outbox.piece(8, 2, "other", {});
  outbox.piece(7, 3, "", {});
  outbox.text(7, "b");
  outbox.progress(7, 1, 4);
  outbox.progress(7, 2, 4);
  Finish finish;
  finish.reason = StopReason::kMaxTokens;
  outbox.finish(7, finish);
  const std::vector<News> news = outbox.take();
  CHECK_EQ(news.size(), size_t{2});
  CHECK_EQ(news[0].id, RequestId{7});
  CHECK_EQ(news[0].text, "a b");
  CHECK(news[0].tokens == (std::vector<llama_token>{1, 3}));
  CHECK_EQ(news[0].evaluated, 2);
  CHECK_EQ(news[0].total, 4);
  CHECK(news[0].last() && news[0].finish->reason == StopReason::kMaxTokens);
  CHECK_EQ(news[1].id, RequestId{8});
  CHECK_EQ(news[1].evaluated, -1);
  CHECK(!news[1].last());
  CHECK(outbox.take().empty());
}

TEST(what_is_taken_does_not_come_again) {
  Outbox outbox([] {});
  outbox.piece(1, 10, "x", {});
  CHECK_EQ(outbox.take().size(), size_t{1});
  outbox.piece(2, 20, "y", {});
  outbox.piece(1, 11, "z", {});
  const std::vector<News> news = outbox.take();
  CHECK_EQ(news.size(), size_t{2});
  CHECK_EQ(news[0].id, RequestId{2});
  CHECK_EQ(news[1].text, "z");
  CHECK(news[1].tokens == std::vector<llama_token>{11});
}

TEST(a_failure_is_the_last_word) {
  Outbox outbox([] {});
  outbox.fail(3, {"ERR_DECODE_FAILED", "why"});
  const std::vector<News> news = outbox.take();
  CHECK(news[0].last());
  CHECK_EQ(news[0].failure->code, "ERR_DECODE_FAILED");
  CHECK_EQ(news[0].failure->message, "why");
}

TEST(the_reader_is_woken_once_for_all_until_it_takes) {
  int wakes = 0;
  Outbox outbox([&] { ++wakes; });
  outbox.flush();
  CHECK_EQ(wakes, 0);
  outbox.piece(1, 1, "a", {});
  CHECK_EQ(wakes, 0);
  outbox.flush();
  outbox.flush();
  outbox.piece(2, 2, "b", {});
  outbox.flush();
  CHECK_EQ(wakes, 1);
  CHECK_EQ(outbox.take().size(), size_t{2});
  outbox.flush();
  CHECK_EQ(wakes, 1);
  outbox.text(1, "");
  outbox.flush();
  CHECK_EQ(wakes, 1);
  outbox.text(1, "c");
  outbox.flush();
  CHECK_EQ(wakes, 2);
}

TEST(writers_on_many_threads_lose_nothing) {
  constexpr int kWriters = 4;
  constexpr int kTokens = 2'000;
  std::mutex mutex;
  std::condition_variable woken;
  bool news = false;
  Outbox outbox([&] {
    {
      std::lock_guard<std::mutex> lock(mutex);
      news = true;
    }
    woken.notify_one();
  });

  std::vector<std::thread> writers;
  for (int id = 1; id <= kWriters; ++id) {
    writers.emplace_back([&outbox, id] {
      for (int token = 0; token < kTokens; ++token) {
        outbox.piece(id, token, "x", {});
        outbox.flush();
      }
      outbox.finish(id, {});
      outbox.flush();
    });
  }

  std::map<RequestId, std::vector<llama_token>> got;
  size_t characters = 0;
  int finished = 0;
  while (finished < kWriters) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      woken.wait(lock, [&] { return news; });
      news = false;
    }
    for (const News& entry : outbox.take()) {
      auto& tokens = got[entry.id];
      tokens.insert(tokens.end(), entry.tokens.begin(), entry.tokens.end());
      characters += entry.text.size();
      if (entry.last()) ++finished;
    }
  }
  for (std::thread& writer : writers)
    writer.join();

  CHECK_EQ(characters, size_t{kWriters} * kTokens);
  for (const auto& [id, tokens] : got) {
    CHECK_EQ(tokens.size(), size_t{kTokens});
    CHECK(std::is_sorted(tokens.begin(), tokens.end()));
  }
}

TEST(a_worker_runs_jobs_in_order_on_one_thread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  Gate done;
  Worker worker;
  for (int job = 0; job < 100; ++job) {
    CHECK(worker.post([&, job] {
      order.push_back(job);
      threads.push_back(std::this_thread::get_id());
      if (job == 99) done.open();
    }));
  }
  done.wait();
  worker.stop();
  CHECK_EQ(order.size(), size_t{100});
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(threads.front() != std::this_thread::get_id());
  CHECK(std::all_of(threads.begin(), threads.end(),
                    [&](std::thread::id thread) { return thread == threads.front(); }));
}

TEST(stop_waits_for_the_job_that_runs_and_drops_the_rest) {
  Gate started;
  Gate may_end;
  std::atomic<bool> ended{false};
  std::atomic<bool> ran_later{false};
  Worker worker;
  worker.post([&] {
    started.open();
    may_end.wait();
    ended = true;
  });
  worker.post([&ran_later] { ran_later = true; });
  started.wait();

  std::thread stopper([&] {
    worker.stop();
    CHECK(ended);
  });
  while (worker.post([&ran_later] { ran_later = true; }))
    std::this_thread::yield();
  may_end.open();
  stopper.join();
  worker.stop();
  CHECK(!ran_later);
}

TEST(stop_from_two_threads_at_once) {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> ran{0};
    Worker worker;
    for (int job = 0; job < 10; ++job)
      worker.post([&] { ++ran; });
    std::thread other([&] { worker.stop(); });
    worker.stop();
    other.join();
    const int after = ran;
    CHECK(after <= 10);
    CHECK(!worker.post([&] { ++ran; }));
    CHECK_EQ(ran.load(), after);
  }
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
