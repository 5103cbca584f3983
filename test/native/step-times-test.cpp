// What is concluded from how long evaluations took, with times that are given.

#include <cstdint>

#include "core/engine/step_times.h"
#include "harness.h"

using cria::StepTimes;

namespace {

constexpr int32_t kMost = 512;
constexpr double kPause = 50;

StepTimes times(bool apart) { return StepTimes({16, 4, apart}); }

StepTimes::Step generations(int32_t rows) { return {rows, 0, false}; }
StepTimes::Step piece(int32_t rows) { return {rows, rows, false}; }

}  // namespace

TEST(before_anything_is_measured_pieces_are_the_least_ones) {
  const StepTimes::Piece first = times(true).piece_within(kPause, kMost);
  CHECK_EQ(first.rows, 16);
  CHECK_EQ(first.least, 16);
  CHECK_EQ(times(true).prefill_ms_per_token(), 0);
}

TEST(a_piece_takes_as_long_as_it_may) {
  StepTimes mixed = times(false);
  mixed.measured(piece(64), 64);
  CHECK_EQ(mixed.prefill_ms_per_token(), 1);
  CHECK_EQ(mixed.piece_within(kPause, kMost).rows, 50);
  CHECK_EQ(mixed.piece_within(kPause, 32).rows, 32);
}

TEST(a_piece_may_take_as_long_as_two_steps) {
  StepTimes mixed = times(false);
  mixed.measured(generations(8), 40);
  mixed.measured(piece(64), 64);
  CHECK_EQ(mixed.piece_within(kPause, kMost).rows, 80);
}

TEST(a_piece_by_itself_reads_the_weights_again) {
  StepTimes apart = times(true);
  apart.measured(generations(8), 20);
  apart.measured(piece(80), 100);  // 20 ms for the weights, 1 for each row
  CHECK_EQ(apart.piece_within(kPause, kMost).rows, 30);
}

TEST(tokens_of_generations_in_the_same_batch_are_not_the_prompts) {
  StepTimes mixed = times(false);
  mixed.measured(generations(8), 20);
  mixed.measured({72, 64, false}, 84);
  CHECK_EQ(mixed.prefill_ms_per_token(), 1);
}

TEST(what_holds_generations_up_for_too_long_gets_smaller) {
  StepTimes apart = times(true);
  apart.measured(piece(16), 1000);
  const StepTimes::Piece dear = apart.piece_within(kPause, kMost);
  CHECK(dear.rows < 4);
  CHECK_EQ(dear.least, 4);
}

TEST(dearer_rows_are_believed_sooner_than_cheaper_ones) {
  StepTimes dearer = times(false);
  dearer.measured(piece(16), 16);
  dearer.measured(piece(16), 32);
  CHECK_EQ(dearer.piece_within(kPause, kMost).rows, 29);  // at 1.7 ms
  StepTimes cheaper = times(false);
  cheaper.measured(piece(16), 32);
  cheaper.measured(piece(16), 16);
  CHECK_EQ(cheaper.piece_within(kPause, kMost).rows, 29);  // at 1.7 ms, too: 0.3 of the way
}

TEST(drafts_and_a_few_rows_tell_nothing) {
  StepTimes mixed = times(false);
  mixed.measured({24, 16, true}, 1000);
  mixed.measured(piece(3), 1000);
  CHECK_EQ(mixed.prefill_ms_per_token(), 0);
  CHECK_EQ(mixed.piece_within(kPause, kMost).rows, 16);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
