// Finds entries that lie elsewhere by what they hold. Open addressing: an entry costs 24 bytes, and
// no allocation of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model/hash.h"

namespace cria {

class HashIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Of values without padding.
  template <typename T>
  static uint64_t hash_of_all(const T* values, size_t count, uint64_t seed) {
    static_assert(sizeof(T) % sizeof(uint64_t) == 0);
    return hash(values, count * sizeof(T), seed) * 0x9E3779B97F4A7C15;
  }

  // kNone if there is none.
  template <typename Equal>
  uint32_t find(uint64_t hash, const Equal& equal) const {
    const size_t mask = slots_.size() - 1;
    for (size_t at = hash >> 32 & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.entry == kNone) return kNone;
      if (slot.hash == hash && equal(slot.entry)) return slot.entry;
    }
  }

  void insert(uint64_t hash, uint32_t entry) {
    if (++count_ * 2 > slots_.size()) {
      std::vector<Slot> old(slots_.size() * 2);
      old.swap(slots_);
      for (const Slot& slot : old) {
        if (slot.entry != kNone) put(slot);
      }
    }
    put({hash, entry});
  }

  size_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t entry = kNone;
  };

  void put(const Slot& slot) {
    const size_t mask = slots_.size() - 1;
    size_t at = slot.hash >> 32 & mask;
    while (slots_[at].entry != kNone)
      at = (at + 1) & mask;
    slots_[at] = slot;
  }

  std::vector<Slot> slots_ = std::vector<Slot>(64);
  size_t count_ = 0;
};

}  // namespace cria
