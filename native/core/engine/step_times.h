// How long evaluations take, as far as they were measured, and with it how many rows of a prompt
// may be evaluated while generations wait for their next token.
#pragma once

#include <cstdint>

namespace cria {

class StepTimes {
 public:
  struct Limits {
    int32_t least_piece;  // of a prompt beside generations,
    int32_t fewest_rows;  // and where that would hold them up for too long
    bool apart;           // pieces are never in a batch with the generations' tokens
  };
  struct Step {
    int32_t rows;
    int32_t prompt_rows;  // of them
    bool drafts;          // some of them are guessed
  };
  struct Piece {
    int32_t rows;   // that take no longer than they may
    int32_t least;  // no fewer are worth it
  };

  explicit StepTimes(const Limits& limits) : limits_(limits) {}

  void measured(const Step& step, double ms);

  // Of long pieces; 0: not yet known.
  double prefill_ms_per_token() const { return prefill_ms_per_token_; }

  // Beside generations that may be made to wait for `pause` ms.
  Piece piece_within(double pause, int32_t most) const;

 private:
  const Limits limits_;
  // 0: not yet known.
  double step_ms_ = 0;  // one token of every running generation
  double prefill_ms_per_token_ = 0;
  double base_ms_ = 0;  // of a piece, however small,
  double row_ms_ = 0;   // and of each of its rows
};

}  // namespace cria
