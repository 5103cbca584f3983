// A thread that runs jobs one after the other. All work off the JS thread, except decoding, runs on
// one of these. Never on the libuv pool, where a job in flight makes worker.terminate() abort the
// process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace cria {

class Worker {
 public:
  using Job = std::function<void()>;

  // Throws std::system_error if the system starts no thread.
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread. Exceptions of a job are lost. After stop() the job is dropped, and this returns
  // false.
  bool post(Job job);

  // Any thread but the worker's own; idempotent. Drops the jobs that wait, and waits for the one
  // that runs.
  void stop();

  // Likewise, but waits no longer than until the deadline; false if the job still runs then. It
  // goes on alone, and must not use what its owner is about to destroy.
  bool stop_by(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  static void run(State& state);

  const std::shared_ptr<State> state_;  // shared with the thread
  std::thread thread_;
};

}  // namespace cria
