#include "core/engine/cache.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "core/engine/partial_state.h"
#include "core/media/media_token.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// Before anything was measured: so many tokens certainly take longer to evaluate than to copy.
constexpr int32_t kSurelyWorthCopying = 64;
// Below this a copy's fixed cost is not worth it.
constexpr int32_t kLeastWorthCopying = 8;
// A prefix of less than one sixteenth of a prompt is evaluated again: reusing only a BOS would put
// the rest out of step with the rows that are computed together (512 tokens in 85 ms, not 81).
constexpr int32_t kLeastShare = 16;

}  // namespace

int32_t common_prefix(const Tokens& a, const Tokens& b) {
  const auto most = static_cast<ptrdiff_t>(std::min(a.size(), b.size()));
  return static_cast<int32_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
                              a.begin());
}

Cache::Cache(llama_context* context, int32_t slots, const Layout& layout)
    : context_(context),
      memory_(llama_get_memory(context)),
      layout_(layout),
      slots_(static_cast<size_t>(slots)),
      checkpoints_(context, slots,
                   layout.memory.has_checkpoints() ? layout.memory.checkpoint_bytes : 0) {}

// A slot that already holds a prefix, if most of its contents stay useful; otherwise the least
// useful slot, with a copy of the best prefix there is.
std::optional<Slot> Cache::take(const Lookup& wanted, double ms_per_token) {
  const Match idle = best_match(wanted, /*idle_only=*/true);
  const Match any = best_match(wanted, /*idle_only=*/false);
  const int32_t dear = any.slot == kNoSlot ? 1 : worth_copying(length(any.slot), ms_per_token);

  const bool keeps_most = idle.slot != kNoSlot && idle.length > 0 &&
                          idle.length * 2 >= length(idle.slot) && any.length - idle.length < dear;
  const Slot slot = keeps_most ? idle.slot : least_useful();
  if (slot == kNoSlot) return std::nullopt;

  Entry& entry = slots_[index(slot)];
  entry.in_use = true;
  const auto worth = [&](int32_t prefix) {
    return static_cast<int64_t>(prefix) * kLeastShare >= static_cast<int64_t>(wanted.tokens.size());
  };
  const int32_t own = reusable(slot, wanted, /*copied=*/false);
  if (any.slot != slot && any.length - own >= dear && worth(any.length)) {
    clear(slot);
    if (copy(any.slot, slot)) trim(slot, any.length);
  } else {
    trim(slot, worth(own) ? own : 0);
  }
  entry.adaptation = wanted.adaptation;
  return slot;
}

std::optional<Slot> Cache::take_highest(const AdaptationKey& adaptation) {
  const auto free = std::find_if(slots_.rbegin(), slots_.rend(),
                                 [](const Entry& entry) { return !entry.in_use; });
  if (free == slots_.rend()) return std::nullopt;
  const auto slot = static_cast<Slot>(slots_.rend() - free - 1);
  free->in_use = true;
  // Its contents may be more useful than those of the least useful slot: then they move there.
  const Slot least = least_useful();
  const bool roomier =
      least != kNoSlot && least != slot &&
      (slots_[index(least)].tokens.empty() || slots_[index(least)].last_used < free->last_used);
  if (!free->tokens.empty() && roomier) {
    clear(least);
    slots_[index(least)].in_use = true;
    const bool moved = copy(slot, least);
    slots_[index(least)].in_use = false;
    if (moved) slots_[index(least)].last_used = free->last_used;
  }
  clear(slot);
  free->adaptation = adaptation;
  return slot;
}

void Cache::give_back(Slot slot) {
  Entry& entry = slots_[index(slot)];
  entry.in_use = false;
  entry.last_used = ++clock_;
}

void Cache::give_back_empty(Slot slot) {
  clear(slot);
  give_back(slot);
}

void Cache::append(Slot slot, const llama_token* tokens, int32_t count, bool as_alone) {
  Entry& entry = slots_[index(slot)];
  if (as_alone && entry.exact == length(slot)) entry.exact += count;
  entry.tokens.insert(entry.tokens.end(), tokens, tokens + count);
}

int32_t Cache::trim(Slot slot, int32_t wanted) {
  const int32_t length = uncut_media(tokens(slot), wanted);
  if (length > 0 && trim_cells(slot, length)) return length;
  const std::vector<int32_t> taken = checkpoints_.lengths(slot);
  const auto behind = std::upper_bound(taken.begin(), taken.end(), length);
  if (behind != taken.begin() && memory_ != nullptr) {
    const int32_t last = *std::prev(behind);
    try {
      if (checkpoints_.put_back(slot, last) && trim_cells(slot, last)) return last;
    } catch (...) {
      clear(slot);  // what it holds is neither this nor that
      throw;
    }
  }
  clear(slot);
  return 0;
}

// False where the next token would not find all that it looks back to.
bool Cache::trim_cells(Slot slot, int32_t length) {
  if (memory_ == nullptr) return false;
  const llama_pos next = position_at(tokens(slot), std::min(length, this->length(slot)));
  if (!window_holds(oldest(slot, /*copied=*/false), next)) return false;
  if (!llama_memory_seq_rm(memory_, slot, next, -1)) return false;
  Entry& entry = slots_[index(slot)];
  entry.tokens.resize(std::min(entry.tokens.size(), static_cast<size_t>(length)));
  entry.exact = std::min(entry.exact, length);
  checkpoints_.forget_behind(slot, length);
  return true;
}

bool Cache::copy(Slot from, Slot to) {
  if (layout_.shared) {
    llama_memory_seq_cp(memory_, from, to, -1, -1);
    // llama.cpp overwrites no cell that two sequences share. In a small pool of windows, nothing
    // would be left for new tokens: there each slot has a window of its own.
    if (layout_.memory.window_only &&
        !put_partial_state(context_, to, partial_state(context_, from))) {
      clear(to);
      return false;
    }
  } else {
    // llama.cpp's own copy between streams moves all of their cells, at the next llama_decode. This
    // one moves only the cells in use, and at once.
    if (!write_state(to, state(from))) return false;
  }
  slots_[index(to)].tokens = slots_[index(from)].tokens;
  slots_[index(to)].adaptation = slots_[index(from)].adaptation;
  slots_[index(to)].exact = slots_[index(from)].exact;
  checkpoints_.copy(from, to);
  return true;
}

bool Cache::swap(Slot a, Slot b) {
  Entry& one = slots_[index(a)];
  Entry& other = slots_[index(b)];
  const std::vector<uint8_t> state_b = other.tokens.empty() ? std::vector<uint8_t>{} : state(b);
  if (one.tokens.empty()) {
    // Writing llama.cpp's state of an empty slot would leave the old contents.
    llama_memory_seq_rm(memory_, b, -1, -1);
  } else if (!write_state(b, state(a))) {
    clear(b);
    return false;
  }
  llama_memory_seq_rm(memory_, a, -1, -1);
  if (!write_state(a, state_b)) {
    other.tokens.clear();
    checkpoints_.forget_behind(b, 0);
  }
  std::swap(one, other);
  checkpoints_.swap(a, b);
  return true;
}

std::vector<uint8_t> Cache::state(Slot slot) const {
  try {
    std::vector<uint8_t> state(llama_state_seq_get_size(context_, slot));
    size_t size = 0;
    {
      const rpc::LostQuietly quietly;
      size = llama_state_seq_get_data(context_, state.data(), state.size(), slot);
    }
    rpc::throw_if_lost();
    if (size != state.size()) state.clear();
    return state;
  } catch (const std::bad_alloc&) {
    return {};  // a copy only saves time: not worth a failure
  }
}

bool Cache::restore(Slot slot, const Tokens& tokens, const std::vector<uint8_t>& state) {
  clear(slot);
  if (tokens.empty()) return true;
  bool written = write_state(slot, state);
  // In a unified cache, the cells may all be taken by slots that nobody uses.
  while (!written && layout_.shared && evict())
    written = write_state(slot, state);
  const llama_pos last = written ? llama_memory_seq_pos_max(memory_, slot) : -1;
  const auto held = static_cast<size_t>(last + 1);
  if (!written || held > tokens.size() || (held > 0 && !complete(slot))) {
    clear(slot);
    return false;
  }
  slots_[index(slot)].tokens.assign(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(held));
  return true;
}

// llama.cpp gives the window's cells in their order, without those that it passed over: behind it,
// sums are added up in another one.
bool Cache::moves_exactly(Slot slot) const { return layout_.memory.drops_nothing(length(slot)); }

void Cache::forget_all() {
  for (Slot slot = 0; slot < size(); ++slot)
    clear(slot);
}

void Cache::wipe() {
  forget_all();
  if (memory_ != nullptr) llama_memory_clear(memory_, /*data=*/true);
}

bool Cache::has_free() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Entry& e) { return !e.in_use; });
}

int32_t Cache::reusable(int32_t common, const Lookup& wanted) const {
  const auto length = static_cast<int32_t>(wanted.tokens.size());
  const int32_t most = std::min(common, wanted.most);
  if (wanted.reuse != Reuse::kExact) return wanted.reuse == Reuse::kAny ? most : 0;
  return Borders{length, wanted.cuts, layout_.micro_batch}.exact_prefix(most);
}

// As a slot of its own, or once it is copied to one.
int32_t Cache::reusable(Slot slot, const Lookup& wanted, bool copied) const {
  const Entry& entry = slots_[index(slot)];
  const auto length = static_cast<int32_t>(wanted.tokens.size());
  const bool exact = wanted.reuse == Reuse::kExact;
  if (wanted.reuse == Reuse::kNone || entry.tokens.empty()) return 0;
  const int32_t agreement = entry.adaptation.agreement(wanted.adaptation);
  // Where adapters begin is a border, which a text without them has not.
  if (exact && !(entry.adaptation == wanted.adaptation)) return 0;
  const int32_t common =
      std::min({common_prefix(entry.tokens, wanted.tokens), wanted.most, agreement});
  const int32_t most = exact ? std::min(common, entry.exact) : common;
  int32_t best = uncut(slot, wanted, most, copied);
  const Borders borders{length, wanted.cuts, layout_.micro_batch};
  for (const int32_t taken : checkpoints_.lengths(slot)) {
    // Put back, a window's cells lie in another order than those of a fresh evaluation.
    const bool same = borders.begin_at(taken) && layout_.memory.drops_nothing(taken);
    if (taken <= most && (!exact || same)) best = std::max(best, taken);
  }
  return uncut_media(wanted.tokens, best);
}

// Without a checkpoint.
int32_t Cache::uncut(Slot slot, const Lookup& wanted, int32_t most, bool copied) const {
  const MemoryKind& memory = layout_.memory;
  const bool exact = wanted.reuse == Reuse::kExact;
  const Borders borders{static_cast<int32_t>(wanted.tokens.size()), wanted.cuts,
                        layout_.micro_batch};
  if (memory.recurrent) {
    const bool whole = length(slot) == most;
    const bool same = borders.begin_at(most) && memory.drops_nothing(most);
    return whole && (!exact || same) ? most : 0;
  }
  // Cuts for checkpoints may leave pieces of less than a tile, so only whole ones are the same.
  const int32_t wished = !exact                     ? most
                         : memory.has_checkpoints() ? borders.around(most).begin
                                                    : borders.exact_prefix(most);
  if (memory.window == 0) return wished;
  const llama_pos from = oldest(slot, copied);
  const bool held = window_holds(from, position_at(wanted.tokens, wished));
  return held && (!exact || from == 0) ? wished : 0;
}

// The first position that all layers with a window still have. Those with a state have none.
llama_pos Cache::oldest(Slot slot, bool copied) const {
  const MemoryKind& memory = layout_.memory;
  if (memory.window == 0 || memory.recurrent) return 0;
  const bool loses = copied && (!layout_.shared || memory.window_only);
  const int32_t lost = loses ? position_at(tokens(slot), length(slot)) - memory.window : 0;
  return std::max(llama_memory_seq_pos_min(memory_, slot), lost);
}

bool Cache::window_holds(llama_pos oldest, llama_pos next) const {
  return oldest <= std::max(0, next - layout_.memory.window + 1);
}

// What llama.cpp has written lets the slot go on.
bool Cache::complete(Slot slot) const {
  const llama_pos first = llama_memory_seq_pos_min(memory_, slot);
  const llama_pos last = llama_memory_seq_pos_max(memory_, slot);
  if (layout_.memory.recurrent) return first == last;
  return layout_.memory.window == 0 ? first == 0 : window_holds(first, last + 1);
}

int32_t Cache::longest_prefix(const Lookup& wanted) const {
  return std::max(best_match(wanted, /*idle_only=*/true).length,
                  best_match(wanted, /*idle_only=*/false).length);
}

bool Cache::evict() {
  const Slot oldest = oldest_idle();
  if (oldest == kNoSlot) return false;
  clear(oldest);
  return true;
}

int64_t Cache::cached_tokens() const {
  int64_t sum = 0;
  for (const Entry& entry : slots_)
    sum += static_cast<int64_t>(entry.tokens.size());
  return sum;
}

// Among equals, the slot with the fewest other tokens.
Cache::Match Cache::best_match(const Lookup& wanted, bool idle_only) const {
  Match best;
  for (Slot slot = 0; slot < size(); ++slot) {
    const Entry& entry = slots_[index(slot)];
    if (idle_only && entry.in_use) continue;
    const int32_t length = reusable(slot, wanted, /*copied=*/!idle_only);
    const bool equal = best.slot != kNoSlot && length == best.length;
    const bool smaller = equal && entry.tokens.size() < slots_[index(best.slot)].tokens.size();
    if (best.slot == kNoSlot || length > best.length || smaller) best = {slot, length};
  }
  return best;
}

// The first empty one, otherwise the least recently used.
Slot Cache::least_useful() const {
  const auto empty = std::find_if(slots_.begin(), slots_.end(), [](const Entry& entry) {
    return !entry.in_use && entry.tokens.empty();
  });
  return empty != slots_.end() ? static_cast<Slot>(empty - slots_.begin()) : oldest_idle();
}

// Among the slots that hold something.
Slot Cache::oldest_idle() const {
  Slot oldest = kNoSlot;
  for (Slot slot = 0; slot < size(); ++slot) {
    const Entry& entry = slots_[index(slot)];
    if (entry.in_use || entry.tokens.empty()) continue;
    if (oldest == kNoSlot || entry.last_used < slots_[index(oldest)].last_used) oldest = slot;
  }
  return oldest;
}

int32_t Cache::worth_copying(int32_t length, double ms_per_token) const {
  if (layout_.shared) return 1;
  if (ms_per_token <= 0) return kSurelyWorthCopying;
  const auto tokens =
      static_cast<int32_t>(length * std::min(layout_.copy_ms_per_token / ms_per_token, 1.0));
  return std::max(tokens, kLeastWorthCopying);
}

void Cache::clear(Slot slot) {
  if (memory_ != nullptr) llama_memory_seq_rm(memory_, slot, -1, -1);
  Entry& entry = slots_[index(slot)];
  entry.tokens.clear();
  entry.exact = 0;
  checkpoints_.forget_behind(slot, 0);
}

// llama.cpp empties the slot first, and leaves it empty if it fails.
bool Cache::write_state(Slot slot, const std::vector<uint8_t>& state) {
  if (state.empty()) return false;
  size_t written = 0;
  {
    const rpc::LostQuietly quietly;
    written = llama_state_seq_set_data(context_, state.data(), state.size(), slot);
  }
  rpc::throw_if_lost();
  if (written == state.size()) return true;
  llama_memory_seq_rm(memory_, slot, -1, -1);
  return false;
}

}  // namespace cria
