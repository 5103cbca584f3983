// Crowd, told of yields at times that are made up.

#include "core/model/crowd.h"

#include <chrono>

#include "harness.h"

using cria::Crowd;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// A thread that yields again and again.
struct Yields {
  Crowd crowd;
  Crowd::Clock::time_point now{std::chrono::hours(1)};

  void after(microseconds pause, microseconds yield) {
    const auto before = now + pause;
    now = before + yield;
    crowd.tell(before, now);
  }
  bool crowded() const { return crowd.is_at(now); }
};

}  // namespace

TEST(whoever_yields_to_nobody_is_alone) {
  Yields yields;
  for (int i = 0; i < 100'000; ++i) {
    yields.after(microseconds(10), microseconds(1));
    CHECK(!yields.crowded());
  }
}

TEST(a_busy_thread_makes_a_crowd_within_three_slices) {
  for (const int slice : {1, 3, 6}) {
    Yields yields;
    yields.after(microseconds(10), milliseconds(slice));
    yields.after(microseconds(10), milliseconds(slice));
    CHECK(!yields.crowded());
    yields.after(microseconds(10), milliseconds(slice));
    CHECK(yields.crowded());
    yields.now += milliseconds(199);
    CHECK(yields.crowded());
    yields.now += milliseconds(2);
    CHECK(!yields.crowded());
  }
}

TEST(a_crowd_that_has_not_gone_is_known_by_one_slice) {
  Yields yields;
  for (int i = 0; i < 3; ++i)
    yields.after(microseconds(10), milliseconds(3));
  for (int i = 0; i < 10; ++i) {
    yields.now += milliseconds(205);
    CHECK(!yields.crowded());
    yields.after(microseconds(10), milliseconds(3));
    CHECK(yields.crowded());
  }
  yields.now += milliseconds(230);
  yields.after(microseconds(10), milliseconds(3));
  CHECK(!yields.crowded());
}

TEST(a_moment_of_another_thread_for_each_token_is_no_crowd) {
  for (const int token : {11, 23, 60}) {
    Yields yields;
    for (int i = 0; i < 1000; ++i) {
      for (int barrier = 0; barrier < 100; ++barrier)
        yields.after(microseconds(10 * token), microseconds(1));
      yields.after(microseconds(10), milliseconds(2));
      CHECK(!yields.crowded());
    }
  }
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
