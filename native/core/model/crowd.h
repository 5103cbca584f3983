// Whether others want the processor that a thread waits on, told by how long its yields take. Where
// nobody else is ready to run, one takes nothing. A thread that never rests takes a time slice at
// each; this process's own others, which read logits and texts, a moment once for each token: no
// crowd.
#pragma once

#include <chrono>
#include <cstdint>

namespace cria {

// Of one thread, and for it alone.
class Crowd {
 public:
  using Clock = std::chrono::steady_clock;

  bool is_at(Clock::time_point now) const { return now < until_; }

  // A yield took from `before` to `after`.
  void tell(Clock::time_point before, Clock::time_point after) {
    if (after - before < kSlice) return;
    const bool still_there = before - until_ < kWindow;
    if (before - first_lost_ >= kWindow) {
      first_lost_ = before;
      lost_ = 0;
    }
    if (++lost_ >= kSlices || still_there) until_ = after + kWhile;
  }

 private:
  static constexpr auto kSlice = std::chrono::microseconds(500);
  // So many slices lost within the window are a crowd. Slices of busy threads are 3 to 6 ms.
  static constexpr int32_t kSlices = 3;
  static constexpr auto kWindow = std::chrono::milliseconds(20);
  static constexpr auto kWhile = std::chrono::milliseconds(200);

  Clock::time_point first_lost_{};
  int32_t lost_ = 0;
  Clock::time_point until_{};
};

}  // namespace cria
