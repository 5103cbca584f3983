// Where what is asked of a context is made ready, off its own thread: texts are tokenized, state
// files read and written. Two threads, so that a short text waits for no long one.
#pragma once

#include <cstddef>
#include <utility>

#include "core/model/worker.h"

namespace cria {

class Preparer {
 public:
  // `bytes`: about how much there is to do. In the order of posting, among the short and among the
  // long. As Worker's post().
  bool post(size_t bytes, Worker::Job job) {
    return (bytes > kLong ? long_ : short_).post(std::move(job));
  }
  // Neither short nor to be stopped, as the writing of a file.
  bool post(Worker::Job job) { return long_.post(std::move(job)); }

  // As Worker's.
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
