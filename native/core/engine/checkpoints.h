// Copies, in the process's own memory, of what llama.cpp cannot cut back: the states of recurrent
// layers, and the window of a sliding-window cache that keeps no more than that. With one, a
// sequence goes back to where it was taken; the other cells are simply removed. The context's
// thread only.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace cria {

using Slot = llama_seq_id;
inline constexpr Slot kNoSlot = -1;

class Checkpoints {
 public:
  // A conversation goes back by a few messages.
  static constexpr int32_t kMostOfSlot = 8;

  // `bytes`: how many all of them together may take. 0: none is ever taken.
  Checkpoints(llama_context* context, int32_t slots, uint64_t bytes);

  // Takes one of a slot that holds `length` tokens. The least recently used ones give way. Where
  // there is no memory, there is none: it only saves time.
  void take(Slot slot, int32_t length);

  // How many tokens the slot's checkpoints have, in rising order.
  std::vector<int32_t> lengths(Slot slot) const;

  // Writes the one of `length` tokens to the slot. False: llama.cpp did not take it.
  bool put_back(Slot slot, int32_t length);

  // Drops those of more than `length` tokens: the cells that they belong to are gone.
  void forget_behind(Slot slot, int32_t length);

  // Another slot has the same tokens now. Both share the memory.
  void copy(Slot from, Slot to) { slots_[index(to)] = slots_[index(from)]; }
  void swap(Slot a, Slot b) { slots_[index(a)].swap(slots_[index(b)]); }

  uint64_t bytes() const;

 private:
  struct Checkpoint {
    int32_t length;
    uint64_t last_used;
    std::vector<uint8_t> state;
  };
  using List = std::vector<std::shared_ptr<Checkpoint>>;  // in the order of their lengths

  static size_t index(Slot slot) { return static_cast<size_t>(slot); }
  void make_room(List& list, uint64_t size);
  void drop_oldest();

  llama_context* const context_;
  const uint64_t most_bytes_;
  std::vector<List> slots_;
  uint64_t clock_ = 0;
};

}  // namespace cria
