// A thread that runs jobs one after the other: the only way anything but decoding leaves the JS
// thread. Never the libuv pool, where a job in flight makes worker.terminate() abort the process.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace cria {

class Worker {
 public:
  using Job = std::function<void()>;

  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread. A job must not throw. False, and the job is dropped, once stop() was called.
  bool post(Job job);

  // Any thread but the worker's own; idempotent. Waits for the job that runs, drops those that
  // wait.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::once_flag joined_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cria
