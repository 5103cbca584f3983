#include "core/model/work_budget.h"

#include <algorithm>
#include <utility>

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <ctime>
#endif

namespace cria {

namespace {

// The clock is read once in so many allocations, and at every large one.
constexpr uint32_t kLookEvery = 32;
constexpr size_t kLarge = size_t{1} << 16;

thread_local WorkBudget* in_use = nullptr;

// The processor time of this thread.
std::chrono::nanoseconds thread_time() {
#ifdef _WIN32
  FILETIME created;
  FILETIME ended;
  FILETIME kernel;
  FILETIME user;
  GetThreadTimes(GetCurrentThread(), &created, &ended, &kernel, &user);
  const auto ticks = [](const FILETIME& time) {
    return static_cast<int64_t>(time.dwHighDateTime) << 32 | time.dwLowDateTime;
  };
  return std::chrono::nanoseconds((ticks(kernel) + ticks(user)) * 100);
#else
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
#endif
}

}  // namespace

WorkBudget::WorkBudget(const std::atomic<bool>* stop, size_t memory, std::chrono::milliseconds time)
    : stop_(stop), memory_(memory), time_(time) {}

WorkBudget* WorkBudget::current() { return in_use; }

WorkBudget::Use::Use(WorkBudget* budget) : budget_(budget), outer_(std::exchange(in_use, budget)) {
  budget_->began_ = thread_time();
}

WorkBudget::Use::~Use() {
  budget_->spent_before_ = budget_->time_used();
  in_use = outer_;
}

std::chrono::nanoseconds WorkBudget::time_used() const {
  return spent_before_ + (thread_time() - began_);
}

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
  } else if (time_used() > time_) {
    spent_ = Spent::kTime;
  }
}

void WorkBudget::check() {
  look();
  if (spent_ != Spent::kNothing) throw BudgetSpent();
}

void WorkBudget::about_to_allocate(size_t size) {
  const bool stopped = stop_ != nullptr && stop_->load(std::memory_order_relaxed);
  if (stopped || size >= kLarge || until_look_ == 0) {
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
