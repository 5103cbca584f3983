#include "core/sampling/grammar_states.h"

#include <algorithm>
#include <utility>

namespace cria {

namespace {

// Up to so many items are looked for one by one.
constexpr size_t kFew = 16;
// What follows behind two rules is rarely alike for long. Each level takes some of the C++ stack.
constexpr int kDeepest = 500;
// An entry of an unordered map, about.
constexpr size_t kMapEntry = 48;

}  // namespace

GrammarStates::GrammarStates(GrammarGraph& graph) : locals_(graph, work_) {
  intern({}, false);  // kDead
  intern({}, true);   // kBottom
}

size_t GrammarStates::bytes() const {
  return locals_.bytes() + items_.capacity() * sizeof(Item) + states_.capacity() * sizeof(Entry) +
         tables_.capacity() * sizeof(uint32_t) + index_.bytes() + united_.size() * kMapEntry;
}

// The items must be sorted, with each local state once.
GrammarStates::State GrammarStates::intern(const Items& items, bool ends) {
  const uint64_t hash = HashIndex::hash_of_all(items.data(), items.size(), ends ? 1 : kHashSeed);
  const uint32_t known = index_.find(hash, [&](uint32_t state) {
    const Entry& entry = states_[state];
    return entry.ends == ends && entry.count == items.size() &&
           std::equal(items.begin(), items.end(), items_.begin() + entry.begin);
  });
  if (known != kNone) return known;
  work_.add(1 + items.size());
  if (bytes() > GrammarWork::kMostBytes) GrammarWork::refuse();
  states_.push_back({static_cast<uint32_t>(items_.size()), static_cast<uint32_t>(items.size()),
                     kNone, kNone, ends});
  items_.insert(items_.end(), items.begin(), items.end());
  const auto state = static_cast<State>(states_.size() - 1);
  index_.insert(hash, state);
  return state;
}

GrammarStates::State GrammarStates::push(Local top, State below) {
  return locals_.properties(top).only_ends ? below : intern({{top, below}}, false);
}

GrammarStates::State GrammarStates::unite(State a, State b, int depth) {
  if (a == b || b == kDead) return a;
  if (a == kDead) return b;
  if (a > b) std::swap(a, b);
  const uint64_t pair = uint64_t{a} << 32 | b;
  const auto known = united_.find(pair);
  if (known != united_.end()) return known->second;
  if (depth > kDeepest) GrammarWork::refuse();
  const Items of_a = items(a);
  const Items of_b = items(b);
  work_.add(of_a.size() + of_b.size());
  Items both;
  auto at = of_a.begin();
  for (const Item& item : of_b) {
    for (; at != of_a.end() && at->local < item.local; ++at)
      both.push_back(*at);
    if (at != of_a.end() && at->local == item.local) {
      both.push_back({item.local, unite(at->below, item.below, depth + 1)});
      ++at;
    } else {
      both.push_back(item);
    }
  }
  both.insert(both.end(), at, of_a.end());
  const State united = intern(both, ends(a) || ends(b));
  united_[pair] = united;
  return united;
}

// Something that threw may have left the last one half made.
void GrammarStates::begin_expansion() {
  expanded_.clear();
  places_.clear();
  to_expand_.clear();
  expanded_ends_ = false;
}

// Adds an item to the state that is being made. False if it is there already; else it then has what
// is new below it.
bool GrammarStates::add(Item& item) {
  size_t place = expanded_.size();
  if (expanded_.size() < kFew) {
    const auto known = std::find_if(expanded_.begin(), expanded_.end(),
                                    [&](const Item& other) { return other.local == item.local; });
    place = static_cast<size_t>(known - expanded_.begin());
  } else {
    for (size_t i = places_.size(); i < expanded_.size(); ++i)
      places_[expanded_[i].local] = i;
    const auto known = places_.find(item.local);
    if (known != places_.end()) place = known->second;
  }
  if (place == expanded_.size()) {
    expanded_.push_back(item);
    return true;
  }
  const State below = expanded_[place].below;
  const State united = either(below, item.below);
  if (united == below) return false;
  expanded_[place].below = united;
  return true;
}

// Adds the items that a local state stands for: itself, the rules that it enters, and if its rule
// may end, what is below.
void GrammarStates::expand(Local local, State below) {
  to_expand_.push_back({local, below});
  while (!to_expand_.empty()) {
    Item item = to_expand_.back();
    to_expand_.pop_back();
    work_.add(1);
    if (!add(item)) continue;
    locals_.each_call(item.local, [&](const LocalStates::Call& call) {
      to_expand_.push_back({call.rule, push(call.behind, item.below)});
    });
    if (!locals_.properties(item.local).ends) continue;
    const Entry& entry = states_[item.below];
    expanded_ends_ = expanded_ends_ || entry.ends;
    to_expand_.insert(to_expand_.end(), items_.begin() + entry.begin,
                      items_.begin() + entry.begin + entry.count);
  }
}

GrammarStates::State GrammarStates::take_expansion() {
  const auto idle = std::remove_if(expanded_.begin(), expanded_.end(), [&](const Item& item) {
    const LocalStates::Properties& properties = locals_.properties(item.local);
    return !properties.characters && !properties.tokens;
  });
  expanded_.erase(idle, expanded_.end());
  std::sort(expanded_.begin(), expanded_.end());
  return intern(expanded_, expanded_ends_);
}

GrammarStates::State GrammarStates::start() {
  const GrammarRules& rules = locals_.graph().rules();
  begin_expansion();
  expand(locals_.at_start(rules.root), kBottom);
  return take_expansion();
}

GrammarStates::State GrammarStates::make_next(State state, uint8_t byte) {
  if (states_[state].table == kNone) {
    const auto table = static_cast<uint32_t>(tables_.size());
    tables_.resize(tables_.size() + locals_.class_count(), kNone);
    states_[state].table = table;
  }
  const Entry entry = states_[state];
  work_.add(1 + entry.count);
  begin_expansion();
  for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
    const Item item = items_[i];
    const Local next = locals_.next(item.local, byte);
    if (next != LocalStates::kNone) expand(next, item.below);
  }
  const State next = take_expansion();
  tables_[entry.table + locals_.byte_class(byte)] = next;
  return next;
}

GrammarStates::State GrammarStates::opened(State below) {
  if (states_[below].opened == kNone) {
    begin_expansion();
    expanded_ends_ = ends(below);
    for (const Item& item : items(below))
      expand(item.local, item.below);
    const State state = take_expansion();
    states_[below].opened = state;
  }
  return states_[below].opened;
}

GrammarStates::State GrammarStates::behind_token(const LocalStates::TokenStep& step, State below) {
  begin_expansion();
  expand(locals_.at(step.next), below);
  return take_expansion();
}

GrammarStates::State GrammarStates::tokens_only(State state) {
  State kept = kDead;
  for (const Item& item : items(state)) {
    if (!locals_.properties(item.local).tokens) continue;
    kept = either(kept, intern({{locals_.tokens_only(item.local), item.below}}, false));
  }
  return kept;
}

// What is below comes first, without recursion: texts may nest as deep as they are long.
GrammarStates::State GrammarStates::copy(const GrammarStates& from, State state) {
  std::unordered_map<State, State> copied{{kDead, kDead}, {kBottom, kBottom}};
  std::vector<State> left{state};
  while (!left.empty()) {
    const State at = left.back();
    const Items items = from.items(at);
    const size_t before = left.size();
    for (const Item& item : items) {
      if (copied.count(item.below) == 0) left.push_back(item.below);
    }
    if (left.size() > before) continue;
    left.pop_back();
    State made = from.ends(at) ? kBottom : kDead;
    for (const Item& item : items)
      made = either(made,
                    intern({{locals_.copy(from.locals_, item.local), copied[item.below]}}, false));
    copied[at] = made;
  }
  return copied[state];
}

}  // namespace cria
