#include "core/sampling/local_states.h"

#include <algorithm>

namespace cria {

namespace {

// How far ahead widest() looks.
constexpr int kAhead = 3;

}  // namespace

LocalStates::LocalStates(GrammarGraph& graph, GrammarWork& work) : graph_(graph), work_(work) {
  classify_bytes();
}

// Bytes that no set of the grammar tells apart are one class.
void LocalStates::classify_bytes() {
  const Utf8Automaton& characters = graph_.rules().characters;
  bool begins[257] = {};
  for (Utf8Automaton::Node node = 0; node < characters.count(); ++node) {
    for (const Utf8Automaton::Edge& edge : characters.edges(node)) {
      begins[edge.low] = true;
      begins[edge.high + 1] = true;
    }
  }
  for (int byte = 1; byte < 256; ++byte) {
    if (begins[byte]) ++class_count_;
    classes_[byte] = static_cast<uint8_t>(class_count_ - 1);
  }
}

size_t LocalStates::bytes() const {
  return elements_.capacity() * sizeof(Element) + entries_.capacity() * sizeof(Entry) +
         calls_.capacity() * sizeof(Call) + tables_.capacity() * sizeof(uint32_t) +
         spots_.capacity() * sizeof(PlaceInRule) +
         (places_met_.capacity() + spots_met_.capacity()) * sizeof(uint32_t) + index_.bytes() +
         spot_index_.bytes();
}

// Something that threw may have left the last one half made.
void LocalStates::begin_set() {
  ++round_;
  found_.clear();
  to_close_.clear();
}

LocalStates::Spot LocalStates::spot(GrammarGraph::Place place, Spot behind) {
  if (behind == kNone) return place;
  if (place == GrammarGraph::kReturnPlace) return behind;
  const uint64_t value = uint64_t{place} << 32 | behind;
  const uint64_t hash = HashIndex::hash_of_all(&value, 1, kHashSeed);
  const uint32_t known = spot_index_.find(
      hash, [&](uint32_t at) { return spots_[at].place == place && spots_[at].behind == behind; });
  if (known != kNone) return known | kSpot;
  work_.add(1);
  const auto made = static_cast<uint32_t>(spots_.size());
  spots_.push_back({place, behind});
  spot_index_.insert(hash, made);
  return made | kSpot;
}

// False if this round has met it before.
bool LocalStates::meet(Spot spot) {
  const bool in_rule = (spot & kSpot) != 0;
  std::vector<uint32_t>& met = in_rule ? spots_met_ : places_met_;
  const size_t at = spot & ~kSpot;
  if (met.size() <= at) met.resize(in_rule ? spots_.size() : graph_.count(), 0);
  if (met[at] == round_) return false;
  met[at] = round_;
  return true;
}

// Adds what may come at a spot to the set.
void LocalStates::close(Spot first) {
  to_close_.push_back(first);
  while (!to_close_.empty()) {
    const Spot at = to_close_.back();
    to_close_.pop_back();
    if (!meet(at)) continue;
    work_.add(1);
    const auto [place, behind] = (at & kSpot) != 0 ? spots_[at & ~kSpot] : PlaceInRule{at, kNone};
    const GrammarGraph::Step step = graph_.step(place);
    switch (step.kind) {
      case GrammarGraph::Kind::kReturn:
        found_.push_back(element(kReturn, 0, 0));
        break;
      case GrammarGraph::Kind::kCharacter:
        found_.push_back(element(kCharacter, step.subject, spot(step.next, behind)));
        break;
      case GrammarGraph::Kind::kToken:
        found_.push_back(element(kToken, step.subject, spot(step.next, behind)));
        break;
      case GrammarGraph::Kind::kCall:
        if (graph_.goes_on(step.subject)) {
          to_close_.push_back(spot(graph_.start(step.subject), spot(step.next, behind)));
        } else {
          found_.push_back(element(kCall, step.subject, spot(step.next, behind)));
        }
        break;
      case GrammarGraph::Kind::kEnter:
        to_close_.push_back(spot(graph_.start(step.subject), behind));
        break;
      case GrammarGraph::Kind::kSplit:
        for (uint32_t i = 0; i < step.next; ++i)
          to_close_.push_back(spot(graph_.targets()[step.subject + i], behind));
        break;
    }
  }
}

LocalStates::Local LocalStates::at(Spot spot) {
  begin_set();
  close(spot);
  return intern();
}

// The local state with the elements that were found.
LocalStates::Local LocalStates::intern() {
  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  const uint64_t hash = HashIndex::hash_of_all(found_.data(), found_.size(), kHashSeed);
  const uint32_t known = index_.find(hash, [&](uint32_t local) {
    const Entry& entry = entries_[local];
    return entry.count == found_.size() &&
           std::equal(found_.begin(), found_.end(), elements_.begin() + entry.begin);
  });
  if (known != kNone) return known;
  if (bytes() > GrammarWork::kMostBytes) GrammarWork::refuse();
  const auto has = [&](Tag tag) {
    return std::any_of(found_.begin(), found_.end(),
                       [tag](Element element) { return tag_of(element) == tag; });
  };
  const bool ends = has(kReturn);
  entries_.push_back({static_cast<uint32_t>(elements_.size()),
                      static_cast<uint32_t>(found_.size()),
                      kNone,
                      kNone,
                      0,
                      {has(kCharacter), has(kToken), ends, ends && found_.size() == 1}});
  elements_.insert(elements_.end(), found_.begin(), found_.end());
  const auto local = static_cast<Local>(entries_.size() - 1);
  index_.insert(hash, local);
  return local;
}

LocalStates::Local LocalStates::make_next(Local local, uint8_t byte) {
  if (entries_[local].table == kNone) {
    const auto table = static_cast<uint32_t>(tables_.size());
    tables_.resize(tables_.size() + class_count_, kUnknown);
    entries_[local].table = table;
  }
  const Entry entry = entries_[local];
  begin_set();
  work_.add(entry.count);
  bool alive = false;
  for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
    const Element element = elements_[i];
    if (tag_of(element) != kCharacter) continue;
    const Utf8Automaton::Node node = graph_.rules().characters.next(subject_of(element), byte);
    if (node == Utf8Automaton::kDead) continue;
    alive = true;
    if (node == Utf8Automaton::kWhole) {
      close(next_of(element));
    } else {
      found_.push_back(LocalStates::element(kCharacter, node, next_of(element)));
    }
  }
  const Local next = alive ? intern() : kNone;
  tables_[entry.table + classes_[byte]] = next;
  return next;
}

LocalStates::Local LocalStates::tokens_only(Local local) {
  begin_set();
  const Entry& entry = entries_[local];
  for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
    if (tag_of(elements_[i]) == kToken) found_.push_back(elements_[i]);
  }
  return intern();
}

LocalStates::Local LocalStates::copy(const LocalStates& from, Local local) {
  begin_set();
  const Entry& entry = from.entries_[local];
  for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
    const Element one = from.elements_[i];
    const Spot next = copy_spot(from, next_of(one));
    found_.push_back(element(tag_of(one), subject_of(one), next));
  }
  return intern();
}

// Rules are inside each other a few levels at most.
LocalStates::Spot LocalStates::copy_spot(const LocalStates& from, Spot copied) {
  if (copied == kNone || (copied & kSpot) == 0) return copied;
  const auto [place, behind] = from.spots_[copied & ~kSpot];
  return spot(place, copy_spot(from, behind));
}

void LocalStates::open_calls(Local local) {
  if (entries_[local].calls != kNone) return;
  std::vector<Call> calls;
  const Entry entry = entries_[local];
  for (uint32_t i = entry.begin; i < entry.begin + entry.count;) {
    if (tag_of(elements_[i]) != kCall) {
      ++i;
      continue;
    }
    // Sorted, those of one rule are neighbours.
    const uint32_t rule = subject_of(elements_[i]);
    begin_set();
    for (; i < entry.begin + entry.count && tag_of(elements_[i]) == kCall &&
           subject_of(elements_[i]) == rule;
         ++i) {
      close(next_of(elements_[i]));
    }
    const Local behind = intern();
    calls.push_back({at_start(rule), behind});
  }
  const size_t begin = calls_.size();
  calls_.insert(calls_.end(), calls.begin(), calls.end());  // may throw: only then are they known
  entries_[local].calls = static_cast<uint32_t>(begin);
  entries_[local].call_count = static_cast<uint32_t>(calls.size());
}

std::vector<LocalStates::TokenStep> LocalStates::token_steps(Local local) const {
  std::vector<TokenStep> steps;
  const Entry& entry = entries_[local];
  if (!entry.properties.tokens) return steps;
  for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
    if (tag_of(elements_[i]) != kToken) continue;
    steps.push_back({graph_.rules().tokens[subject_of(elements_[i])], next_of(elements_[i])});
  }
  return steps;
}

LocalStates::Widest LocalStates::widest(Local local) {
  Widest widest{nullptr, false};
  uint32_t most = 0;
  for (int ahead = 0; ahead < kAhead; ++ahead) {
    const Entry entry = entries_[local];
    uint32_t most_here = 0;
    Spot next = GrammarGraph::kReturnPlace;
    for (uint32_t i = entry.begin; i < entry.begin + entry.count; ++i) {
      if (tag_of(elements_[i]) != kCharacter) continue;
      const Utf8Automaton::Ranges* ranges =
          graph_.rules().characters.ranges(subject_of(elements_[i]));
      const uint32_t characters = ranges == nullptr ? 0 : character_count(*ranges);
      if (characters <= most_here) continue;
      most_here = characters;
      next = next_of(elements_[i]);
      if (characters > most) {
        most = characters;
        widest = {ranges, ahead == 0};
      }
    }
    if (most_here == 0) break;
    local = at(next);
  }
  return widest;
}

}  // namespace cria
