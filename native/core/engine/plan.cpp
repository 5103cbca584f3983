#include "core/engine/plan.h"

#include <algorithm>

namespace cria {

namespace {

// How many tokens are left to the end of the micro-batch that these tokens would be in if the
// prompt were alone: a prompt in pieces has the same borders as a whole one.
int32_t rest_of_micro_batch(const Task& task, int32_t micro_batch) {
  const int32_t rest = task.borders(micro_batch).around(task.evaluated()).end - task.evaluated();
  return std::min(rest, task.evaluated_alike());
}

bool may_have(int32_t rest, int32_t count, int32_t least_piece) {
  if (count == rest) return true;
  const int32_t fewest = rest < least_piece ? kFewestTogether : least_piece;
  return count >= fewest && rest - count >= fewest;
}

// As many rows as the limits allow, in multiples of the least piece.
int32_t piece_of(int32_t rest, const PlanLimits& limits) {
  const int32_t least = limits.least_piece;
  if (rest <= limits.rows || rest < least) return rest;
  const int32_t piece = std::max(limits.rows / least, 1) * least;
  return rest - piece < least ? rest : piece;
}

class SeparatePlan {
 public:
  SeparatePlan(Task& first, std::vector<Task*> tasks, const PlanLimits& limits)
      : tasks_(std::move(tasks)), limits_(limits) {
    std::sort(tasks_.begin(), tasks_.end(),
              [](const Task* a, const Task* b) { return a->slot() < b->slot(); });
    first_ = static_cast<size_t>(std::find(tasks_.begin(), tasks_.end(), &first) - tasks_.begin());
  }

  // Tries each number of rows, and takes the one with which most rows are computed together.
  std::vector<Piece> make() const {
    Group best = group(piece_of(rest(first_), limits_));
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const int32_t count = rest(i);
      if (count > limits_.rows || !may_have(rest(first_), count, limits_.least_piece)) continue;
      const Group other = group(count);
      if (other.rows() > best.rows()) best = other;
    }
    std::vector<Piece> pieces;
    for (size_t i = best.begin; i < best.end; ++i) {
      pieces.push_back({tasks_[i], best.count});
    }
    return pieces;
  }

 private:
  struct Group {
    size_t begin;
    size_t end;
    int32_t count;
    int32_t rows() const { return static_cast<int32_t>(end - begin) * count; }
  };

  int32_t rest(size_t i) const { return rest_of_micro_batch(*tasks_[i], limits_.micro_batch); }

  // The neighbours of the first that can have the same number of rows.
  Group group(int32_t count) const {
    Group group{first_, first_ + 1, count};
    const auto joins = [&](size_t i, size_t neighbour) {
      const int32_t apart = tasks_[i]->slot() - tasks_[neighbour]->slot();
      return std::abs(apart) == 1 && group.rows() + count <= limits_.rows &&
             may_have(rest(i), count, limits_.least_piece);
    };
    while (group.end < tasks_.size() && joins(group.end, group.end - 1))
      ++group.end;
    while (group.begin > 0 && joins(group.begin - 1, group.begin))
      --group.begin;
    return group;
  }

  std::vector<Task*> tasks_;
  const PlanLimits limits_;
  size_t first_;
};

}  // namespace

std::vector<Piece> plan_prefill(Task& first, const std::vector<Task*>& prefilling,
                                const PlanLimits& limits) {
  if (!limits.shared) return SeparatePlan(first, prefilling, limits).make();

  std::vector<Piece> pieces;
  int32_t rows = limits.rows;
  const auto add = [&](Task& task) {
    const int32_t count = std::min(rest_of_micro_batch(task, limits.micro_batch), rows);
    if (count > 0) pieces.push_back({&task, count});
    rows -= count;
  };
  add(first);
  for (Task* task : prefilling) {
    if (task != &first) add(*task);
  }
  return pieces;
}

Slot window_for(const std::vector<Task*>& tasks, const Cache& cache) {
  const auto span = static_cast<int32_t>(tasks.size());
  if (tasks.back()->slot() - tasks.front()->slot() + 1 == span) return kNoSlot;
  Slot best = kNoSlot;
  int32_t most = -1;
  for (Slot begin = 0; begin + span <= cache.size(); ++begin) {
    const auto within = [&](Slot slot) { return slot >= begin && slot < begin + span; };
    int32_t inside = 0;
    for (const Task* task : tasks)
      inside += within(task->slot()) ? 1 : 0;
    int32_t used = 0;
    for (Slot slot = begin; slot < begin + span; ++slot)
      used += cache.in_use(slot) ? 1 : 0;
    if (used == inside && inside > most) {
      best = begin;
      most = inside;
    }
  }
  return best;
}

}  // namespace cria
