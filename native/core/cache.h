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

#include "vocabulary.h"

namespace cria {

using Slot = llama_seq_id;
inline constexpr Slot kNoSlot = -1;

// Tokens that both begin with.
int32_t common_prefix(const Tokens& a, const Tokens& b);

// How many of a prompt's tokens may be taken over.
struct Reusable {
  int32_t most;
  // Where the prompt is cut; -1: nowhere, and any prefix will do.
  int32_t cut = -1;
  // Else only what lies between a cut at the same place and whole micro-batches before and behind
  // it: those tokens were evaluated in the same pieces.
  int32_t micro_batch = 1;

  int32_t of(int32_t common) const;
};

class Cache {
 public:
  // `copy_ms_per_token`: about what copying a token from slot to slot takes, where that is to be
  // done.
  Cache(llama_context* context, int32_t slots, bool shared, double copy_ms_per_token);

  // A slot for a new task, with as many of its tokens in there as is worth it. `ms_per_token`: what
  // evaluating one would cost, 0 where unknown.
  std::optional<Slot> take(const Tokens& tokens, const Reusable& reusable, double ms_per_token);

  // A slot for somebody who stays: the highest, since those of generations are to be neighbours.
  std::optional<Slot> take_highest();

  // Ends the use. What lies in the slot stays as long as nobody needs the place.
  void give_back(Slot slot);
  void give_back_empty(Slot slot);

  // Tokens that are evaluated. They end where llama.cpp was last told.
  const Tokens& tokens(Slot slot) const { return slots_[index(slot)].tokens; }
  int32_t length(Slot slot) const { return static_cast<int32_t>(tokens(slot).size()); }

  // llama_decode has evaluated these behind the others.
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

  // The longest beginning of these tokens that lies in any slot and could be taken over.
  int32_t longest_prefix(const Tokens& tokens, const Reusable& reusable) const;

  // Forgets what was used least recently and is in nobody's use. False where nothing is left.
  bool evict();

  bool in_use(Slot slot) const { return slots_[index(slot)].in_use; }
  int32_t size() const { return static_cast<int32_t>(slots_.size()); }
  bool shared() const { return shared_; }
  int64_t cached_tokens() const;
  // About how many cells hold something: what slots have in common counts once where it was copied.
  int64_t used_cells() const;

 private:
  struct Entry {
    Tokens tokens;
    int32_t borrowed = 0;  // of its cells, those that another slot had before, shared layout
    int32_t cut = -1;      // where the prompt was cut that lies there
    int32_t prompt = 0;    // its length; what follows was generated, token by token
    bool in_use = false;
    uint64_t last_used = 0;
  };
  struct Match {
    Slot slot = kNoSlot;
    int32_t length = 0;
  };

  static size_t index(Slot slot) { return static_cast<size_t>(slot); }
  Match best_match(const Tokens& tokens, const Reusable& reusable, bool idle_only) const;
  static int32_t match(const Entry& entry, const Tokens& tokens, const Reusable& reusable);
  Slot least_useful() const;
  Slot oldest_idle() const;
  void clear(Slot slot);
  bool write_state(Slot slot, const std::vector<uint8_t>& state);

  llama_context* const context_;
  llama_memory_t const memory_;
  const bool shared_;
  const double copy_ms_per_token_;
  std::vector<Entry> slots_;
  uint64_t clock_ = 0;
};

}  // namespace cria
