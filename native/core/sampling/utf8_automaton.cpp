#include "core/sampling/utf8_automaton.h"

#include <algorithm>

namespace cria {

namespace {

using Ranges = Utf8Automaton::Ranges;

constexpr uint32_t kLast = 0x10FFFF;

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

Ranges cut(const Ranges& ranges, uint32_t first, uint32_t last) {
  Ranges part;
  for (const auto& [low, high] : ranges) {
    if (low <= last && high >= first) part.emplace_back(std::max(low, first), std::min(high, last));
  }
  return part;
}

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
  Ranges characters = cut(merged, 1, 0xD7FF);
  const Ranges above = cut(merged, 0xE000, kLast);
  characters.insert(characters.end(), above.begin(), above.end());
  return characters;
}

uint32_t character_count(const Ranges& ranges) {
  uint32_t count = 0;
  for (const auto& [low, high] : ranges)
    count += high - low + 1;
  return count;
}

Utf8Automaton::Utf8Automaton() : begins_{0, 0} {}

Utf8Automaton::Node Utf8Automaton::add(const Ranges& ranges, bool negated) {
  const auto [set, made] = sets_.emplace(normalized(ranges, negated), kDead);
  if (!made) return set->second;
  std::vector<Edge> edges;
  for (const Length& length : kLengths) {
    const Ranges part = cut(set->first, length.first, length.last);
    const uint32_t width = 6 * static_cast<uint32_t>(length.continuing);
    for (size_t i = 0; i < part.size(); ++i) {
      // Characters with the same first byte stand together.
      uint32_t low = part[i].first;
      const uint32_t high = part[i].second;
      while (low <= high) {
        const uint32_t lead = low >> width;
        const uint32_t end = (lead << width) | ((1U << width) - 1);
        const auto byte = static_cast<uint8_t>(length.lead | lead);
        const bool known = !edges.empty() && edges.back().high == byte;
        if (!known) {
          Ranges inside = cut(part, lead << width, end);
          for (auto& [first, last] : inside) {
            first &= (1U << width) - 1;
            last &= (1U << width) - 1;
          }
          const Node node = rest(inside, length.continuing);
          if (!edges.empty() && edges.back().high + 1 == byte && edges.back().node == node) {
            edges.back().high = byte;
          } else {
            edges.push_back({byte, byte, node});
          }
        }
        if (end >= high) break;
        low = end + 1;
      }
    }
  }
  set->second = intern(std::move(edges));
  added_[set->second] = &set->first;
  return set->second;
}

// What follows the first bytes: so many continuing ones, whose bits are in these ranges.
Utf8Automaton::Node Utf8Automaton::rest(const Ranges& ranges, int bytes) {
  if (bytes == 0) return kWhole;
  const uint32_t width = 6 * static_cast<uint32_t>(bytes - 1);
  const bool all =
      ranges.size() == 1 && ranges[0].first == 0 && ranges[0].second == (64U << width) - 1;
  if (all) return intern({{0x80, 0xBF, rest({{0, (1U << width) - 1}}, bytes - 1)}});
  std::vector<Edge> edges;
  for (uint32_t six = 0; six < 64; ++six) {
    Ranges inside = cut(ranges, six << width, (six << width) | ((1U << width) - 1));
    if (inside.empty()) continue;
    for (auto& [first, last] : inside) {
      first &= (1U << width) - 1;
      last &= (1U << width) - 1;
    }
    const auto byte = static_cast<uint8_t>(0x80 | six);
    const Node node = rest(inside, bytes - 1);
    if (!edges.empty() && edges.back().high + 1 == byte && edges.back().node == node) {
      edges.back().high = byte;
    } else {
      edges.push_back({byte, byte, node});
    }
  }
  return intern(std::move(edges));
}

Utf8Automaton::Node Utf8Automaton::intern(std::vector<Edge> edges) {
  std::vector<uint64_t> key;
  key.reserve(edges.size());
  for (const Edge& edge : edges)
    key.push_back(uint64_t{edge.node} << 16 | uint64_t{edge.low} << 8 | edge.high);
  const auto [known, made] = nodes_.emplace(std::move(key), count());
  if (made) {
    edges_.insert(edges_.end(), edges.begin(), edges.end());
    begins_.push_back(static_cast<uint32_t>(edges_.size()));
  }
  return known->second;
}

const Ranges* Utf8Automaton::ranges(Node node) const {
  const auto known = added_.find(node);
  return known == added_.end() ? nullptr : known->second;
}

}  // namespace cria
