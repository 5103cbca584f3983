#include "core/model/worker.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace cria {

struct Worker::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> jobs;
  bool stopping = false;
  bool ended = false;
  bool left_behind = false;
};

Worker::Worker() : state_(std::make_shared<State>()), thread_([state = state_] { run(*state); }) {}

Worker::~Worker() { stop(); }

bool Worker::post(Job job) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->stopping) return false;
    state_->jobs.push_back(std::move(job));
  }
  state_->changed.notify_all();
  return true;
}

void Worker::stop() { stop_by(std::chrono::steady_clock::time_point::max()); }

bool Worker::stop_by(std::chrono::steady_clock::time_point deadline) {
  std::deque<Job> dropped;  // destroyed outside the lock: a job may own what takes locks of its own
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->stopping = true;
  dropped.swap(state_->jobs);
  state_->changed.notify_all();
  const auto settled = [this] { return state_->ended || state_->left_behind; };
  if (deadline == std::chrono::steady_clock::time_point::max()) {
    state_->changed.wait(lock, settled);
  } else {
    state_->changed.wait_until(lock, deadline, settled);
  }
  const bool in_time = state_->ended;
  state_->left_behind = !in_time;
  std::thread thread = std::move(thread_);  // several may stop it, but only one gets the thread
  lock.unlock();
  if (!thread.joinable()) return in_time;
  if (in_time) {
    thread.join();
  } else {
    thread.detach();
  }
  return in_time;
}

void Worker::run(State& state) {
  for (;;) {
    Job job;
    {
      std::unique_lock<std::mutex> lock(state.mutex);
      state.changed.wait(lock, [&] { return state.stopping || !state.jobs.empty(); });
      if (state.stopping) break;
      job = std::move(state.jobs.front());
      state.jobs.pop_front();
    }
    try {
      job();
    } catch (...) {
      // Jobs report their own failures; this one could not even do that.
    }
  }
  std::lock_guard<std::mutex> lock(state.mutex);
  state.ended = true;
  state.changed.notify_all();
}

}  // namespace cria
