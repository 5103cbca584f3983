#include "core/model/token_watch.h"

#include <utility>

#include "core/model/work_budget.h"

namespace cria {

namespace {

thread_local const TokenWatch* watching = nullptr;

}  // namespace

TokenWatch::TokenWatch(GoesOn goes_on)
    : goes_on_(std::move(goes_on)), outer_(std::exchange(watching, this)) {}

TokenWatch::~TokenWatch() { watching = outer_; }

bool TokenWatch::goes_on(const Progress& progress) {
  if (WorkBudget* const budget = WorkBudget::current()) budget->check();
  return watching == nullptr || watching->goes_on_(progress);
}

}  // namespace cria
