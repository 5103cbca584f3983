// How many rows of a prompt are evaluated at once. ggml asks the CPU between two operations whether
// to go on, but nothing stops a GPU: there an abort, and everyone else's next token, waits for all
// that was handed over. So its pieces are as small as their time demands.
#pragma once

#include <algorithm>
#include <cstdint>

namespace cria {

class PieceLimit {
 public:
  // `timed`: nothing stops an evaluation. `least`: never fewer rows, unless `most` is smaller.
  PieceLimit(int32_t most, int32_t least, bool timed)
      : most_(most), least_(std::min(least, most)), timed_(timed), rows_(most) {}

  int32_t rows() const { return rows_; }

  // The ratio of the two times keeps the limit from going up and down: where borders of pieces
  // move, so do the last bits of logits.
  void measured(int32_t rows, double ms) {
    if (!timed_) return;
    if (ms > kLongMs) {
      rows_ = std::max(rows_ / 2, least_);
    } else if (ms < kShortMs && rows >= rows_) {
      rows_ = std::min(rows_ * 2, most_);
    }
  }

  // What a piece may take. An abort should take effect within 100 ms.
  static constexpr double kLongMs = 60;

 private:
  static constexpr double kShortMs = kLongMs / 4;

  const int32_t most_;
  const int32_t least_;
  const bool timed_;
  int32_t rows_;
};

}  // namespace cria
