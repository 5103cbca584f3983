#include "core/chat/work_budget.h"

#include <algorithm>
#include <utility>

namespace cria {

namespace {

// Allocations between two looks at the clock; large ones look by themselves.
constexpr uint32_t kLookEvery = 16;
constexpr size_t kLarge = size_t{1} << 16;

thread_local WorkBudget* in_use = nullptr;

}  // namespace

WorkBudget::WorkBudget(const std::atomic<bool>* stop, size_t memory, std::chrono::milliseconds time)
    : stop_(stop), memory_(memory), time_(time), end_(std::chrono::steady_clock::now() + time) {}

WorkBudget* WorkBudget::current() { return in_use; }

WorkBudget::Use::Use(WorkBudget* budget) : outer_(std::exchange(in_use, budget)) {}

WorkBudget::Use::~Use() { in_use = outer_; }

WorkBudget::Throwing::Throwing()
    : budget_(in_use), outer_(budget_ != nullptr && std::exchange(budget_->throws_, true)) {}

WorkBudget::Throwing::~Throwing() {
  if (budget_ != nullptr) budget_->throws_ = outer_;
}

std::string WorkBudget::reason() const {
  switch (spent_) {
    case Spent::kTime:
      return "It took more than " + std::to_string(time_.count() / 1000) + " seconds";
    case Spent::kMemory:
      return "It took more than " + std::to_string(memory_ >> 20) + " MB of memory";
    case Spent::kStopped:
      return "It was stopped";
    default:
      return {};
  }
}

void WorkBudget::look() {
  if (spent_ != Spent::kNothing) return;
  if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) {
    spent_ = Spent::kStopped;
  } else if (std::chrono::steady_clock::now() > end_) {
    spent_ = Spent::kTime;
  }
}

void WorkBudget::check() {
  look();
  if (spent_ != Spent::kNothing) throw BudgetSpent();
}

void WorkBudget::about_to_allocate(size_t size) {
  if (size >= kLarge || until_look_ == 0) {
    until_look_ = kLookEvery;
    look();
  }
  --until_look_;
  const size_t left = memory_ - std::min(used_, memory_);
  if (size > left && spent_ == Spent::kNothing) spent_ = Spent::kMemory;
  if (spent_ == Spent::kNothing || !throws_) return;
  if (size > reserve_) throw BudgetSpent();
  reserve_ -= size;
}

}  // namespace cria
