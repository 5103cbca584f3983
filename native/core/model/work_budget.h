// Limits the time and memory of one piece of untrusted work, such as a model's template, and lets
// it be stopped. While a budget is in use on a thread, every allocation there is counted
// (allocation.cpp). While a Throwing lives, too, allocations throw once the budget is spent: that
// ends loops in library code, which never looks at a clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include "core/model/sanitized.h"

namespace cria {

// Thrown by allocations, which may throw nothing but a std::bad_alloc.
class BudgetSpent : public std::bad_alloc {
 public:
  const char* what() const noexcept override { return "The budget is spent."; }
};

class WorkBudget {
 public:
  enum class Spent { kNothing, kTime, kMemory, kStopped };

  // Processor time, so that honest work does not fail on a busy machine.
  static constexpr std::chrono::milliseconds kTime{2000 * kSanitizedFactor};
  static constexpr size_t kMemory = size_t{64} << 20;

  // `stop`: any thread may set it to end the work. May be null.
  explicit WorkBudget(const std::atomic<bool>* stop = nullptr, size_t memory = kMemory,
                      std::chrono::milliseconds time = kTime);
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;

  // Why the work had to end. It stays so, even if somebody caught the exception.
  Spent spent() const { return spent_; }
  // The same as a sentence, as "It took more than 2 seconds".
  std::string reason() const;

  // Throws BudgetSpent once it is spent.
  void check();

  // Makes a budget this thread's current one, until it is destroyed.
  class Use {
   public:
    explicit Use(WorkBudget* budget);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    WorkBudget* const budget_;
    WorkBudget* const outer_;
  };

  // Lets this thread's allocations throw. Only for code whose destructors do not allocate, as those
  // of nlohmann's JSON do.
  class Throwing {
   public:
    Throwing();
    ~Throwing();
    Throwing(const Throwing&) = delete;
    Throwing& operator=(const Throwing&) = delete;

   private:
    WorkBudget* const budget_;
    const bool outer_;
  };

  // This thread's budget, or null.
  static WorkBudget* current();

  // Called by operator new and delete. Freeing a block that is older than the budget earns nothing.
  void about_to_allocate(size_t size);
  void allocated(size_t size) { used_ += size; }
  void freed(size_t size) { used_ -= size < used_ ? size : used_; }

 private:
  std::chrono::nanoseconds time_used() const;
  void look();

  const std::atomic<bool>* const stop_;
  const size_t memory_;
  const std::chrono::milliseconds time_;
  std::chrono::nanoseconds began_{0};  // the current Use, by this thread's clock
  std::chrono::nanoseconds spent_before_{0};
  size_t used_ = 0;
  // May still be allocated once the budget is spent, to put into words what went wrong.
  size_t reserve_ = size_t{1} << 20;
  uint32_t until_look_ = 0;
  bool throws_ = false;
  Spent spent_ = Spent::kNothing;
};

}  // namespace cria
