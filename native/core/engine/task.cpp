#include "core/engine/task.h"

#include <algorithm>
#include <utility>

namespace cria {

void Task::enter(Slot slot, int32_t evaluated) {
  slot_ = slot;
  start_ = evaluated;
  evaluated_ = evaluated;
}

void Task::rewind(int32_t evaluated) {
  start_ = std::min(start_, evaluated);
  evaluated_ = evaluated;
}

void Task::leave() {
  slot_ = kNoSlot;
  evaluated_ = 0;
}

void Task::fail(Failure failure, Outbox& outbox) { outbox.fail(id(), std::move(failure)); }

}  // namespace cria
