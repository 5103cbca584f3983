// Decides which pieces of which prompts are evaluated next, and in which slots.
#pragma once

#include <cstdint>
#include <vector>

#include "core/engine/task.h"

namespace cria {

struct Piece {
  Task* task;
  int32_t count;
};

struct PlanLimits {
  int32_t rows;         // tokens in all
  int32_t micro_batch;  // the most for one task at once
  // A unified cache. In a per-sequence one llama.cpp computes neighbouring slots together if they
  // have the same number of rows, and everything else one after the other.
  bool shared;
  // The fewest rows of a piece of a prompt, and of what it leaves of a micro-batch; fewer only if
  // the prompt has no more.
  int32_t least_piece;
};

// `first`, one of `prefilling`, always gets a piece; the others as far as they fit beside it.
std::vector<Piece> plan_prefill(Task& first, const std::vector<Task*>& prefilling,
                                const PlanLimits& limits);

// Where tasks, sorted by slot, could be gathered in neighbouring slots: the first slot of the
// window that already holds most of them and nobody else. kNoSlot: there is no such window, or they
// are neighbours already.
Slot window_for(const std::vector<Task*>& tasks, const Cache& cache);

}  // namespace cria
