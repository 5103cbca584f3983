#include "core/engine/cache.h"

#include <algorithm>
#include <new>
#include <utility>

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
      slots_(static_cast<size_t>(slots)) {}

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
  const int32_t own = reusable(entry, wanted);
  if (any.slot != slot && any.length - own >= dear && worth(any.length)) {
    clear(slot);
    if (copy(any.slot, slot)) trim(slot, any.length);
  } else {
    trim(slot, worth(own) ? own : 0);
  }
  return slot;
}

std::optional<Slot> Cache::take_highest() {
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

void Cache::append(Slot slot, const llama_token* tokens, int32_t count) {
  Entry& entry = slots_[index(slot)];
  if (count >= layout_.least_piece && entry.exact == length(slot)) entry.exact += count;
  entry.tokens.insert(entry.tokens.end(), tokens, tokens + count);
}

int32_t Cache::trim(Slot slot, int32_t length) {
  Tokens& tokens = slots_[index(slot)].tokens;
  if (length > 0 && memory_ != nullptr && llama_memory_seq_rm(memory_, slot, length, -1)) {
    tokens.resize(std::min(tokens.size(), static_cast<size_t>(length)));
    Entry& entry = slots_[index(slot)];
    entry.exact = std::min(entry.exact, length);
    return length;
  }
  clear(slot);
  return 0;
}

bool Cache::copy(Slot from, Slot to) {
  if (layout_.shared) {
    llama_memory_seq_cp(memory_, from, to, -1, -1);
  } else {
    // llama.cpp's own copy between streams moves all of their cells, at the next llama_decode. This
    // one moves only the cells in use, and at once.
    if (!write_state(to, state(from))) return false;
  }
  slots_[index(to)].tokens = slots_[index(from)].tokens;
  slots_[index(to)].exact = slots_[index(from)].exact;
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
  if (!write_state(a, state_b)) other.tokens.clear();
  std::swap(one, other);
  return true;
}

std::vector<uint8_t> Cache::state(Slot slot) const {
  try {
    std::vector<uint8_t> state(llama_state_seq_get_size(context_, slot));
    const size_t size = llama_state_seq_get_data(context_, state.data(), state.size(), slot);
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
  written = written && held <= tokens.size() &&
            (held == 0 || llama_memory_seq_pos_min(memory_, slot) == 0);
  if (!written) {
    clear(slot);
    return false;
  }
  slots_[index(slot)].tokens.assign(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(held));
  return true;
}

bool Cache::has_free() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Entry& e) { return !e.in_use; });
}

int32_t Cache::reusable(int32_t common, const Lookup& wanted) const {
  const auto length = static_cast<int32_t>(wanted.tokens.size());
  const int32_t most = std::min(common, length - 1);
  if (wanted.reuse != Reuse::kExact) return wanted.reuse == Reuse::kAny ? most : 0;
  return Borders{length, wanted.cut, layout_.micro_batch}.exact_prefix(most);
}

int32_t Cache::reusable(const Entry& entry, const Lookup& wanted) const {
  const int32_t common = common_prefix(entry.tokens, wanted.tokens);
  const bool exact = wanted.reuse == Reuse::kExact;
  return reusable(exact ? std::min(common, entry.exact) : common, wanted);
}

int32_t Cache::longest_prefix(const Lookup& wanted) const {
  return best_match(wanted, /*idle_only=*/false).length;
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
    const int32_t length = reusable(entry, wanted);
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
}

// llama.cpp empties the slot first, and leaves it empty if it fails.
bool Cache::write_state(Slot slot, const std::vector<uint8_t>& state) {
  return !state.empty() &&
         llama_state_seq_set_data(context_, state.data(), state.size(), slot) == state.size();
}

}  // namespace cria
