// Which pieces of which prompts are evaluated next, and where.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/task.h"

namespace cria {

struct Piece {
  Task* task;
  int32_t count;
  int32_t padding = 0;  // rows behind them that make a tile of it
};

struct PlanLimits {
  int32_t rows;         // tokens in all
  int32_t micro_batch;  // what one task may have at once
  // Separate layout: llama.cpp computes an equal number of rows of neighbouring slots together, and
  // everything else one after the other.
  bool shared;
  // A piece of a prompt, and what it leaves of a micro-batch, has at least so many rows, or the
  // prompt has less.
  int32_t least_piece;
  // Separate layout: what is left of a prompt behind a prefix that was taken over may be padded to
  // a tile where that is faster, and the task has room for so many tokens. 0: never.
  int32_t room_for_padding = 0;
};

// `first`, one of `prefilling`, is served in any case; others as far as they fit beside it.
std::vector<Piece> plan_prefill(Task& first, const std::vector<Task*>& prefilling,
                                const PlanLimits& limits);

// The first of as many neighbouring slots as there are tasks, rising by slot, where most of them
// are already and nobody else is. kNoSlot: there are none, or they are neighbours.
Slot window_for(const std::vector<Task*>& tasks, const Cache& cache);

}  // namespace cria
