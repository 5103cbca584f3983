#include "core/engine/checkpoints.h"

#include <algorithm>
#include <new>
#include <unordered_set>
#include <utility>

#include "core/engine/partial_state.h"

namespace cria {

namespace {

template <typename List>
auto oldest_of(const List& list) {
  return std::min_element(list.begin(), list.end(),
                          [](const auto& a, const auto& b) { return a->last_used < b->last_used; });
}

}  // namespace

Checkpoints::Checkpoints(llama_context* context, int32_t slots, uint64_t bytes)
    : context_(context), most_bytes_(bytes), slots_(static_cast<size_t>(slots)) {}

void Checkpoints::take(Slot slot, int32_t length) {
  if (most_bytes_ == 0 || length == 0) return;
  List& list = slots_[index(slot)];
  const auto place = std::find_if(list.begin(), list.end(), [&](const auto& checkpoint) {
    return checkpoint->length >= length;
  });
  if (place != list.end() && (*place)->length == length) {
    (*place)->last_used = ++clock_;
    return;
  }
  const size_t size =
      llama_state_seq_get_size_ext(context_, slot, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
  if (size == 0 || size > most_bytes_) return;
  make_room(list, size);
  try {
    auto checkpoint = std::make_shared<Checkpoint>();
    *checkpoint = {length, ++clock_, partial_state(context_, slot)};
    if (checkpoint->state.empty()) return;
    const auto behind = std::find_if(list.begin(), list.end(),
                                     [&](const auto& other) { return other->length > length; });
    list.insert(behind, std::move(checkpoint));
  } catch (const std::bad_alloc&) {
    return;
  }
}

std::vector<int32_t> Checkpoints::lengths(Slot slot) const {
  std::vector<int32_t> lengths;
  for (const auto& checkpoint : slots_[index(slot)])
    lengths.push_back(checkpoint->length);
  return lengths;
}

bool Checkpoints::put_back(Slot slot, int32_t length) {
  const List& list = slots_[index(slot)];
  const auto found = std::find_if(list.begin(), list.end(), [&](const auto& checkpoint) {
    return checkpoint->length == length;
  });
  if (found == list.end()) return false;
  Checkpoint& checkpoint = **found;
  checkpoint.last_used = ++clock_;
  return put_partial_state(context_, slot, checkpoint.state);
}

void Checkpoints::forget_behind(Slot slot, int32_t length) {
  List& list = slots_[index(slot)];
  while (!list.empty() && list.back()->length > length)
    list.pop_back();
}

uint64_t Checkpoints::bytes() const {
  std::unordered_set<const Checkpoint*> counted;
  uint64_t sum = 0;
  for (const List& list : slots_) {
    for (const auto& checkpoint : list)
      if (counted.insert(checkpoint.get()).second) sum += checkpoint->state.size();
  }
  return sum;
}

void Checkpoints::make_room(List& list, uint64_t size) {
  while (list.size() >= static_cast<size_t>(kMostOfSlot))
    list.erase(oldest_of(list));
  while (bytes() + size > most_bytes_)
    drop_oldest();
}

// Of all slots that share it.
void Checkpoints::drop_oldest() {
  std::shared_ptr<Checkpoint> oldest;
  for (const List& list : slots_) {
    if (list.empty()) continue;
    const std::shared_ptr<Checkpoint>& own = *oldest_of(list);
    if (!oldest || own->last_used < oldest->last_used) oldest = own;
  }
  for (List& list : slots_)
    list.erase(std::remove(list.begin(), list.end(), oldest), list.end());
}

}  // namespace cria
