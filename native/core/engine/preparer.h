// Prepares requests off the context's own thread: tokenizes texts, reads and writes state files.
// Two threads, so that a short text never waits for a long one.
#pragma once

#include <cstddef>
#include <utility>

#include "core/model/worker.h"

namespace cria {

class Preparer {
 public:
  // Like Worker's post(). `bytes`: roughly how much work it is. Short jobs run in the order in
  // which they were posted, and so do long ones.
  bool post(size_t bytes, Worker::Job job) {
    return (bytes > kLong ? long_ : short_).post(std::move(job));
  }
  // For a job that may take long whatever its size, such as writing a file.
  bool post(Worker::Job job) { return long_.post(std::move(job)); }

  // Like Worker's.
  void stop() {
    short_.stop();
    long_.stop();
  }

 private:
  static constexpr size_t kLong = size_t{1} << 16;  // some 20 ms

  Worker short_;
  Worker long_;
};

}  // namespace cria
