// Shared by the threads that compute for one context: once an assertion of ggml has failed on any
// of them, none goes on. The first reason is kept. Nothing here allocates, so it works without
// memory.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

namespace cria {

class Collapse {
 public:
  // Any thread. `code` is one of error.h's literals.
  void fail(const char* code, const char* reason) noexcept;
  bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }
  const char* code() const noexcept { return code_; }
  std::string reason() const;

  // Whether anything has failed in this process so far. Costs nothing to ask.
  static bool any() noexcept { return any_.load(std::memory_order_acquire); }

  // A pool's thread begins to work; it has left ggml's code for good.
  void enter() noexcept;
  void leave() noexcept;

  // For the thread that computes along with the pools: whether all of their threads have left
  // within `patience`. One that sleeps because the graph had no work for it does not leave.
  bool wait_for_all(std::chrono::milliseconds patience) noexcept;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  const char* code_ = "";
  std::array<char, 1024> reason_{};
  std::atomic<bool> failed_{false};
  static std::atomic<bool> any_;
};

}  // namespace cria
