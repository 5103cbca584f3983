// Sets of characters as automata over the bytes of UTF-8. They take well-formed text alone: no
// overlong forms, no surrogates, nothing above U+10FFFF, and no NUL, with which a token's text
// ends.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "core/sampling/hash_index.h"

namespace cria {

// Equal sets and equal rests of sets are one node each. One thread at a time.
class Utf8Automaton {
 public:
  // Pairs of the first and last character; any order, they may overlap.
  using Ranges = std::vector<std::pair<uint32_t, uint32_t>>;
  using Node = uint32_t;

  static constexpr Node kWhole = 0;  // behind the last byte of a character
  static constexpr Node kDead = UINT32_MAX;

  struct Edge {
    uint8_t low;
    uint8_t high;
    Node node;

    bool operator==(const Edge& other) const {
      return low == other.low && high == other.high && node == other.node;
    }
  };
  struct Edges {
    const Edge* first;
    const Edge* last;
    const Edge* begin() const { return first; }
    const Edge* end() const { return last; }
  };

  Utf8Automaton();
  Utf8Automaton(Utf8Automaton&&) = default;
  Utf8Automaton& operator=(Utf8Automaton&&) = default;

  // The node in front of the characters of a set, or of all others.
  Node add(const Ranges& ranges, bool negated);

  Edges edges(Node node) const {
    return {edges_.data() + begins_[node], edges_.data() + begins_[node + 1]};
  }
  Node next(Node node, uint8_t byte) const {
    for (const Edge& edge : edges(node)) {
      if (byte >= edge.low && byte <= edge.high) return edge.node;
    }
    return kDead;
  }
  Node count() const { return static_cast<Node>(begins_.size() - 1); }

  // The set that was added as this node; null for a node inside a character.
  const Ranges* ranges(Node node) const;

 private:
  void add_edges(const Ranges& set, uint32_t first, uint32_t last, int continuing, uint32_t mark,
                 std::vector<Edge>& edges);
  Node all(int continuing);
  Node intern(const std::vector<Edge>& edges);

  struct Set {
    Ranges ranges;
    Node node;
  };

  std::vector<Edge> edges_;
  std::vector<uint32_t> begins_;  // of each node, in edges_; one more at the end
  std::vector<uint32_t> set_of_;  // of each node, in sets_
  std::deque<Set> sets_;          // which stay where they are
  HashIndex node_index_;
  HashIndex set_index_;
  std::vector<uint64_t> key_;  // reused: of the node that is looked for
  Node all_[4];                // by how many bytes continue
};

// Sorted, without overlaps or what is no character.
Utf8Automaton::Ranges normalized(const Utf8Automaton::Ranges& ranges, bool negated);

// How many characters there are in normalized ranges.
uint32_t character_count(const Utf8Automaton::Ranges& ranges);

}  // namespace cria
