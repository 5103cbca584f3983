// What one piece of a stranger's work may take: time, memory, and an end when it is told to. While
// one is in use on a thread, every allocation there is counted (allocation.cpp); where Throwing is,
// too, it throws once the budget is spent: so a loop ends in library code, where nobody looks at a
// clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

namespace cria {

// Thrown by an allocation, where std::bad_alloc is what may come.
class BudgetSpent : public std::bad_alloc {
 public:
  const char* what() const noexcept override { return "The budget is spent."; }
};

class WorkBudget {
 public:
  enum class Spent { kNothing, kTime, kMemory, kStopped };

  // Of a processor, so that a busy machine does not end what is honest.
  static constexpr std::chrono::milliseconds kTime{2000};
  static constexpr size_t kMemory = size_t{64} << 20;

  // `stop`: ends it when it is set by any thread; null: nobody does.
  explicit WorkBudget(const std::atomic<bool>* stop = nullptr, size_t memory = kMemory,
                      std::chrono::milliseconds time = kTime);
  WorkBudget(const WorkBudget&) = delete;
  WorkBudget& operator=(const WorkBudget&) = delete;

  // Why it ended, for good: whoever caught what was thrown is told again.
  Spent spent() const { return spent_; }
  // In words, as "It took more than 2 seconds".
  std::string reason() const;

  // Throws BudgetSpent once it is spent.
  void check();

  // Makes it this thread's, and the one before it afterwards.
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

  // Lets this thread's allocations throw. Only around code whose destructors allocate nothing:
  // those of nlohmann's JSON do.
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

  // Of this thread; null: none.
  static WorkBudget* current();

  // What operator new and delete tell. A block that was there before the budget counts for nothing
  // when it goes.
  void about_to_allocate(size_t size);
  void allocated(size_t size) { used_ += size; }
  void freed(size_t size) { used_ -= size < used_ ? size : used_; }

 private:
  std::chrono::nanoseconds time_used() const;
  void look();

  const std::atomic<bool>* const stop_;
  const size_t memory_;
  const std::chrono::milliseconds time_;
  std::chrono::nanoseconds began_{0};  // by this thread's clock, of the use that goes on
  std::chrono::nanoseconds spent_before_{0};
  size_t used_ = 0;
  // Once it is spent, in all: what went wrong is still to be put into words.
  size_t reserve_ = size_t{1} << 20;
  uint32_t until_look_ = 0;
  bool throws_ = false;
  Spent spent_ = Spent::kNothing;
};

}  // namespace cria
