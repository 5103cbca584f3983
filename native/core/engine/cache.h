// The slots of llama.cpp's KV cache: which sequence ids are in use, and which tokens each of them
// holds. What a task leaves behind stays for prompts with the same beginning (prefix caching) until
// its slot is needed.
//
// In a per-sequence cache every slot has cells of its own, and a common prefix is copied; in a
// unified one all slots draw from one pool, and a prefix costs nothing. Not every model's memory
// can be cut at any length: see MemoryKind. The context's thread only.
#pragma once

#include <llama.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/adapters/adapter_set.h"
#include "core/engine/borders.h"
#include "core/engine/checkpoints.h"
#include "core/request/request.h"

namespace cria {

// Where llama.cpp's memory of a model cannot go back to any length.
struct MemoryKind {
  // Some layers have a state in the place of cells, which is overwritten by every token.
  bool recurrent = false;
  // Some layers look back so many tokens only; 0: none. What is farther back may be overwritten,
  // and is never part of a state that llama.cpp gives.
  int32_t window = 0;
  // Their cells are few: hardly more than the window (llama.cpp's `swa_full` is false).
  bool window_only = false;
  uint64_t checkpoint_bytes = 0;  // how many the checkpoints may take together

  // Whether all of the first `length` tokens are within the window.
  bool drops_nothing(int32_t length) const { return window == 0 || length <= window; }
  bool cut_anywhere() const { return !recurrent && !window_only; }
  bool has_checkpoints() const { return !cut_anywhere() && checkpoint_bytes > 0; }
};

// How many tokens both begin with.
int32_t common_prefix(const Tokens& a, const Tokens& b);

// A prompt that looks for its beginning in the cache.
struct Lookup {
  const Tokens& tokens;
  int32_t most;  // no more of them than these may come from there
  Reuse reuse;
  const Cuts& cuts = kNoCuts;  // see Borders
  const AdaptationKey& adaptation = kPlain;
};

class Cache {
 public:
  struct Layout {
    bool shared;
    int32_t micro_batch;
    double copy_ms_per_token;  // roughly, from slot to slot; for a per-sequence cache
    MemoryKind memory;
  };

  Cache(llama_context* context, int32_t slots, const Layout& layout);

  // A slot for a new task. It holds as many of the task's tokens as may be reused and are worth it,
  // but never the last one, whose logits are wanted. `ms_per_token`: how long evaluating one takes,
  // 0 if unknown.
  std::optional<Slot> take(const Lookup& wanted, double ms_per_token);

  // A slot for a sequence that is driven by hand: the highest free one, so that generations get
  // neighbouring slots.
  std::optional<Slot> take_highest(const AdaptationKey& adaptation = kPlain);

  // Ends the use. The slot keeps its tokens until somebody needs it.
  void give_back(Slot slot);
  void give_back_empty(Slot slot);

  // The evaluated tokens, as far as the cache holds them.
  const Tokens& tokens(Slot slot) const { return slots_[index(slot)].tokens; }
  int32_t length(Slot slot) const { return static_cast<int32_t>(tokens(slot).size()); }

  // llama_decode has evaluated these behind the others, in one micro-batch. `as_alone`: in one that
  // leaves them the same as if their prompt were evaluated by itself.
  void append(Slot slot, const llama_token* tokens, int32_t count, bool as_alone);

  // Removes everything after the first `wanted` tokens, what llama_decode left half done included.
  // Returns what is left: `wanted`, or fewer where it cannot be cut there. Then media begin, or the
  // model's memory goes back no farther than to its last checkpoint before, or to nothing.
  int32_t trim(Slot slot, int32_t wanted);

  // Makes what the slot holds now a length that trim() can go back to.
  void take_checkpoint(Slot slot) { checkpoints_.take(slot, length(slot)); }

  // Copies a slot to another one, which is in use and empty. False: it failed, and the other one is
  // still empty.
  bool copy(Slot from, Slot to);

  // Exchanges the contents of both, and who uses them. False: it failed; `a` is unchanged, `b`
  // empty.
  bool swap(Slot a, Slot b);

  // llama.cpp's state of a slot; empty if it gives none.
  std::vector<uint8_t> state(Slot slot) const;
  // Writes a state of these tokens, or of the first of them: a slot may lack the end of its
  // sequence. False, with the slot empty: the state does not fit the tokens, or there are no cells
  // for it.
  bool restore(Slot slot, const Tokens& tokens, const std::vector<uint8_t>& state);

  // Whether swap() leaves the slot's next results the same to the last bit.
  bool moves_exactly(Slot slot) const;

  // A failure inside llama_decode left the states of all slots in doubt.
  void forget_all();

  // The same, and nothing is left of what was in the cells.
  void wipe();

  bool has_free() const;

  // How many tokens a copy of a slot of `length` has to save to be cheaper than evaluating them.
  int32_t worth_copying(int32_t length, double ms_per_token) const;

  // How many of the first `common` tokens of another prompt this one may reuse.
  int32_t reusable(int32_t common, const Lookup& wanted) const;

  // The most tokens that it could reuse from any slot.
  int32_t longest_prefix(const Lookup& wanted) const;

  // Empties the least recently used slot that is not in use. False if there is none.
  bool evict();

  // After a failure inside llama.cpp: its memory is never touched again, and all that still works
  // here is giving slots back.
  void abandon() { memory_ = nullptr; }

  bool in_use(Slot slot) const { return slots_[index(slot)].in_use; }
  int32_t size() const { return static_cast<int32_t>(slots_.size()); }
  bool shared() const { return layout_.shared; }
  int64_t cached_tokens() const;

 private:
  struct Entry {
    Tokens tokens;
    AdaptationKey adaptation;
    int32_t exact = 0;  // how many of them are bit-exact: what the prompt alone would have made
    bool in_use = false;
    uint64_t last_used = 0;
  };
  struct Match {
    Slot slot = kNoSlot;
    int32_t length = 0;
  };

  static size_t index(Slot slot) { return static_cast<size_t>(slot); }
  int32_t reusable(Slot slot, const Lookup& wanted, bool copied) const;
  int32_t uncut(Slot slot, const Lookup& wanted, int32_t most, bool copied) const;
  llama_pos oldest(Slot slot, bool copied) const;
  bool window_holds(llama_pos oldest, llama_pos next) const;
  bool complete(Slot slot) const;
  bool trim_cells(Slot slot, int32_t length);
  // Among the idle ones, to go on in it; or among all, to copy it.
  Match best_match(const Lookup& wanted, bool idle_only) const;
  Slot least_useful() const;
  Slot oldest_idle() const;
  void clear(Slot slot);
  bool write_state(Slot slot, const std::vector<uint8_t>& state);

  llama_context* const context_;
  llama_memory_t memory_;  // null once it is abandoned
  const Layout layout_;
  std::vector<Entry> slots_;
  Checkpoints checkpoints_;
  uint64_t clock_ = 0;
};

}  // namespace cria
