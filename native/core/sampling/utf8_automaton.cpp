#include "core/sampling/utf8_automaton.h"

#include <algorithm>
#include <utility>

namespace cria {

namespace {

using Ranges = Utf8Automaton::Ranges;

constexpr uint32_t kLast = 0x10FFFF;
// Of the bytes behind a character's first one: the mark, and the bits of the character.
constexpr uint8_t kContinuing = 0x80;
constexpr uint8_t kContinuingBits = 0x3F;
constexpr uint32_t kContinuingWidth = 6;

// The characters of each length in bytes, without surrogates.
struct Length {
  int continuing;
  uint32_t lead;  // the first byte's mark
  uint32_t first;
  uint32_t last;
};
constexpr Length kLengths[] = {{0, 0x00, 0x1, 0x7F},
                               {1, 0xC0, 0x80, 0x7FF},
                               {2, 0xE0, 0x800, 0xFFFF},
                               {3, 0xF0, 0x10000, kLast}};

// Two ranges: surrogates are no characters, and neither is NUL here.
constexpr std::pair<uint32_t, uint32_t> kCharacters[] = {{0x1, 0xD7FF}, {0xE000, kLast}};

}  // namespace

Ranges normalized(const Ranges& ranges, bool negated) {
  Ranges sorted = ranges;
  std::sort(sorted.begin(), sorted.end());
  Ranges merged;
  for (const auto& [low, high] : sorted) {
    if (low > high) continue;
    if (!merged.empty() && low <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, high);
    } else if (!merged.empty() && low == merged.back().second + 1) {
      merged.back().second = high;
    } else {
      merged.emplace_back(low, high);
    }
  }
  if (negated) {
    Ranges others;
    uint32_t from = 0;
    for (const auto& [low, high] : merged) {
      if (low > from) others.emplace_back(from, low - 1);
      if (high >= kLast) {
        from = UINT32_MAX;
        break;
      }
      from = high + 1;
    }
    if (from <= kLast) others.emplace_back(from, kLast);
    merged = std::move(others);
  }
  Ranges characters;
  for (const auto& [low, high] : merged) {
    for (const auto& [first, last] : kCharacters) {
      if (low <= last && high >= first)
        characters.emplace_back(std::max(low, first), std::min(high, last));
    }
  }
  return characters;
}

uint32_t character_count(const Ranges& ranges) {
  uint32_t count = 0;
  for (const auto& [low, high] : ranges)
    count += high - low + 1;
  return count;
}

Utf8Automaton::Utf8Automaton()
    : begins_{0, 0}, set_of_{HashIndex::kNone}, all_{kWhole, kDead, kDead, kDead} {}

Utf8Automaton::Node Utf8Automaton::add(const Ranges& ranges, bool negated) {
  Ranges set = normalized(ranges, negated);
  const uint64_t hash = HashIndex::hash_of_all(set.data(), set.size(), kHashSeed);
  const uint32_t known =
      set_index_.find(hash, [&](uint32_t entry) { return sets_[entry].ranges == set; });
  if (known != HashIndex::kNone) return sets_[known].node;
  std::vector<Edge> edges;
  for (const Length& length : kLengths)
    add_edges(set, length.first, length.last, length.continuing, length.lead, edges);
  const Node node = intern(edges);
  const auto entry = static_cast<uint32_t>(sets_.size());
  sets_.push_back({std::move(set), node});
  set_of_[node] = entry;
  set_index_.insert(hash, entry);
  return node;
}

// Of the set's characters from `first` to `last`: an edge for each byte that so many continuing
// ones follow. `mark`: what the byte has besides the character's bits.
void Utf8Automaton::add_edges(const Ranges& set, uint32_t first, uint32_t last, int continuing,
                              uint32_t mark, std::vector<Edge>& edges) {
  const uint32_t width = kContinuingWidth * static_cast<uint32_t>(continuing);
  const uint32_t bits = mark == kContinuing ? kContinuingBits : UINT32_MAX;
  auto range = std::lower_bound(
      set.begin(), set.end(), first,
      [](const std::pair<uint32_t, uint32_t>& one, uint32_t from) { return one.second < from; });
  while (first <= last && range != set.end() && range->first <= last) {
    const uint32_t block = std::max(range->first, first) >> width;
    const uint32_t begin = std::max(block << width, first);
    const uint32_t end = std::min(range->second, last);
    // Up to here all that begin with such a byte are in the set.
    const uint32_t whole = (end + 1) >> width;
    uint32_t behind = block + 1;
    Node node = kWhole;
    if (range->first <= begin && begin == block << width && whole > block) {
      node = all(continuing);
      behind = whole;
    } else {
      std::vector<Edge> inside;
      const uint32_t block_end = std::min((behind << width) - 1, last);
      add_edges(set, begin, block_end, continuing - 1, kContinuing, inside);
      node = intern(inside);
    }
    const auto low = static_cast<uint8_t>(mark | (block & bits));
    const auto high = static_cast<uint8_t>(mark | ((behind - 1) & bits));
    if (!edges.empty() && edges.back().high + 1 == low && edges.back().node == node) {
      edges.back().high = high;
    } else {
      edges.push_back({low, high, node});
    }
    first = behind << width;
    while (range != set.end() && range->second < first)
      ++range;
  }
}

// Behind a byte that any continuing ones follow, so many.
Utf8Automaton::Node Utf8Automaton::all(int continuing) {
  Node& node = all_[continuing];
  if (node == kDead) {
    node = intern({{kContinuing, kContinuing | kContinuingBits, all(continuing - 1)}});
  }
  return node;
}

Utf8Automaton::Node Utf8Automaton::intern(const std::vector<Edge>& edges) {
  key_.clear();
  for (const Edge& edge : edges)
    key_.push_back(uint64_t{edge.node} << 16 | uint64_t{edge.low} << 8 | edge.high);
  const uint64_t hash = HashIndex::hash_of_all(key_.data(), key_.size(), kHashSeed);
  const uint32_t known = node_index_.find(hash, [&](uint32_t node) {
    const Edges others = this->edges(node);
    return std::equal(edges.begin(), edges.end(), others.begin(), others.end());
  });
  if (known != HashIndex::kNone) return known;
  const Node made = count();
  edges_.insert(edges_.end(), edges.begin(), edges.end());
  begins_.push_back(static_cast<uint32_t>(edges_.size()));
  set_of_.push_back(HashIndex::kNone);
  node_index_.insert(hash, made);
  return made;
}

const Ranges* Utf8Automaton::ranges(Node node) const {
  const uint32_t set = set_of_[node];
  return set == HashIndex::kNone ? nullptr : &sets_[set].ranges;
}

}  // namespace cria
