// Which pieces of which prompts are evaluated next.
#pragma once

#include <cstdint>
#include <vector>

#include "task.h"

namespace cria {

struct Piece {
  Task* task;
  int32_t count;
};

struct PlanLimits {
  int32_t rows;         // tokens in all
  int32_t micro_batch;  // what one task may have at once
  // Separate layout: llama.cpp computes an equal number of rows of neighbouring slots together, and
  // everything else one after the other.
  bool shared;
  // A piece of a prompt, and what it leaves of a micro-batch, has at least so many rows, or the
  // prompt has less: see kTile in scheduler.cpp.
  int32_t tile;
};

// `first`, one of `prefilling`, is served in any case; others as far as they fit beside it.
std::vector<Piece> plan_prefill(Task& first, const std::vector<Task*>& prefilling,
                                const PlanLimits& limits);

}  // namespace cria
