// A thread that runs jobs one after the other: the only way anything but decoding leaves the JS
// thread. Never the libuv pool, where a job in flight makes worker.terminate() abort the process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace cria {

class Worker {
 public:
  using Job = std::function<void()>;

  // Throws std::system_error where there is no thread to be had.
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread. What a job throws is lost. False, and the job is dropped, once stop() was called.
  bool post(Job job);

  // Any thread but the worker's own; idempotent. Waits for the job that runs, drops those that
  // wait.
  void stop();

  // Likewise, but waits no longer than that; false where the job still runs then. It goes on alone,
  // and must not use what its owner is about to destroy.
  bool stop_by(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  static void run(State& state);

  const std::shared_ptr<State> state_;  // the thread's as well
  std::thread thread_;
};

}  // namespace cria
