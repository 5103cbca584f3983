// The slots of llama.cpp's cache: which sequence ids are in use, and which tokens lie in each. What
// a task leaves behind stays, for prompts that begin the same way, until its slot is needed.
//
// In the separate layout every slot has cells of its own, and a shared prefix is copied; in the
// shared one all draw from one pool, and a prefix costs nothing. The context's thread alone.
#pragma once

#include <llama.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/request/request.h"

namespace cria {

using Slot = llama_seq_id;
inline constexpr Slot kNoSlot = -1;

// Tokens that both begin with.
int32_t common_prefix(const Tokens& a, const Tokens& b);

// The rows of one stream that ggml's flash attention takes at once on a CPU. With fewer in a
// micro-batch it goes another way, which rounds differently: pieces of a prompt smaller than this
// would make a result depend on who else is generating.
inline constexpr int32_t kTile = 64;

// Of `common` tokens that a prompt of `length` finds evaluated in whole tiles, as many as it may
// take over so that its own rows are computed the way they would be if it evaluated them all: a
// tile stays to be evaluated, and a last micro-batch of less than a tile stays whole.
int32_t exact_prefix(int32_t common, int32_t length, int32_t micro_batch);

class Cache {
 public:
  struct Layout {
    bool shared;
    int32_t micro_batch;
    int32_t least_piece;  // that is rounded as a whole prompt is
    // About what copying a token from slot to slot takes, where that is to be done.
    double copy_ms_per_token;
  };

  Cache(llama_context* context, int32_t slots, const Layout& layout);

  // A slot for a new task, with as many of its tokens in there as it may have and as is worth it,
  // but never the last one: its logits are wanted. `ms_per_token`: what evaluating one would cost,
  // 0 where unknown.
  std::optional<Slot> take(const Tokens& tokens, Reuse reuse, double ms_per_token);

  // A slot for somebody who stays: the highest, since those of generations are to be neighbours.
  std::optional<Slot> take_highest();

  // Ends the use. What lies in the slot stays as long as nobody needs the place.
  void give_back(Slot slot);
  void give_back_empty(Slot slot);

  // Tokens that are evaluated. They end where llama.cpp was last told.
  const Tokens& tokens(Slot slot) const { return slots_[index(slot)].tokens; }
  int32_t length(Slot slot) const { return static_cast<int32_t>(tokens(slot).size()); }

  // llama_decode has evaluated these behind the others, in one micro-batch.
  void append(Slot slot, const llama_token* tokens, int32_t count);

  // Forgets all behind the first `length`. A model whose state cannot be cut loses everything:
  // returns what is left, 0 or `length`. Also for what llama_decode left half done.
  int32_t trim(Slot slot, int32_t length);

  // All of one in another, which is in use and empty. False: it could not be done, the other is
  // empty still.
  bool copy(Slot from, Slot to);

  // Exchanges what lies in both, and who uses them. False: as above, and `a` is as it was.
  bool swap(Slot a, Slot b);

  // llama.cpp's state of what lies in a slot; empty where it gives none.
  std::vector<uint8_t> state(Slot slot) const;
  // Of these tokens, or of the first of them: a slot may lack the end of its sequence. False: the
  // state is none of that, or there are no cells for it. The slot is empty then.
  bool restore(Slot slot, const Tokens& tokens, const std::vector<uint8_t>& state);

  bool has_free() const;

  // How many tokens a copy of a slot with so many must save to be cheaper than evaluating them.
  int32_t worth_copying(int32_t length, double ms_per_token) const;

  // What a prompt of `length` may take over of the first `common` tokens of another's.
  int32_t reusable(int32_t common, int32_t length, Reuse reuse) const;

  // The most that a prompt could take over of any slot.
  int32_t longest_prefix(const Tokens& tokens, Reuse reuse) const;

  // Forgets what was used least recently and is in nobody's use. False where nothing is left.
  bool evict();

  // llama.cpp's side is in an unknown state: from now on it is left alone, and nothing here means
  // anything but that slots can be given back.
  void abandon() { memory_ = nullptr; }

  bool in_use(Slot slot) const { return slots_[index(slot)].in_use; }
  int32_t size() const { return static_cast<int32_t>(slots_.size()); }
  bool shared() const { return layout_.shared; }
  int64_t cached_tokens() const;

 private:
  struct Entry {
    Tokens tokens;
    int32_t exact = 0;  // of them, the first that are what a prompt alone would have made them
    bool in_use = false;
    uint64_t last_used = 0;
  };
  struct Match {
    Slot slot = kNoSlot;
    int32_t length = 0;
  };

  static size_t index(Slot slot) { return static_cast<size_t>(slot); }
  int32_t reusable(const Entry& entry, const Tokens& tokens, Reuse reuse) const;
  Match best_match(const Tokens& tokens, Reuse reuse, bool idle_only) const;
  Slot least_useful() const;
  Slot oldest_idle() const;
  void clear(Slot slot);
  bool write_state(Slot slot, const std::vector<uint8_t>& state);

  llama_context* const context_;
  llama_memory_t memory_;  // null once it is abandoned
  const Layout layout_;
  std::vector<Entry> slots_;
  uint64_t clock_ = 0;
};

}  // namespace cria
