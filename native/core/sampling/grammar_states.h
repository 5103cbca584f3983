// The states that texts lead a grammar to, each made when a text first comes there, and the bytes
// that lead from one to the next: a walk through texts that share states is a walk through tables.
//
// A state is a set of local states, each with what follows behind its rule. That is such a set
// again: of the places that the rule may return to. In a set each local state stands once, with all
// that may follow, so that the many ways to read an ambiguous text do not become as many items.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/sampling/grammar_graph.h"
#include "core/sampling/grammar_work.h"
#include "core/sampling/hash_index.h"
#include "core/sampling/local_states.h"

namespace cria {

// One thread at a time. What makes states throws ERR_GRAMMAR_INVALID past the limits of work.
class GrammarStates {
 public:
  using Local = LocalStates::Local;
  using State = uint32_t;

  static constexpr State kDead = 0;
  // Nothing more: the text ends.
  static constexpr State kBottom = 1;

  struct Item {
    Local local;
    State below;
    bool operator==(const Item& other) const {
      return local == other.local && below == other.below;
    }
    bool operator<(const Item& other) const { return local < other.local; }
  };
  using Items = std::vector<Item>;

  explicit GrammarStates(GrammarGraph& graph);

  State start();

  // Behind one more byte.
  State next(State state, uint8_t byte) {
    const uint32_t table = states_[state].table;
    if (table != kNone) {
      const State known = tables_[table + locals_.byte_class(byte)];
      if (known != kNone) return known;
    }
    return make_next(state, byte);
  }

  // A local state without what other rules do.
  State alone(Local local) { return intern({{local, kBottom}}, false); }
  // What may come behind a rule that has this below it.
  State opened(State below);
  // Behind a token that is taken as such.
  State behind_token(const LocalStates::TokenStep& step, State below);
  // Without what begins a character, or ends the text.
  State tokens_only(State state);
  State either(State a, State b) { return unite(a, b, 0); }
  // The same state of other GrammarStates of the same graph.
  State copy(const GrammarStates& from, State state);

  // Whether the text may end here; of alone() and what follows it, whether its rule may.
  bool ends(State state) const { return states_[state].ends; }
  // A copy, for what makes states on the way.
  Items items(State state) const {
    const auto begin = items_.begin() + states_[state].begin;
    return {begin, begin + states_[state].count};
  }

  LocalStates& locals() { return locals_; }
  GrammarWork& work() { return work_; }
  size_t bytes() const;

 private:
  static constexpr uint32_t kNone = HashIndex::kNone;

  struct Entry {
    uint32_t begin;  // its items
    uint32_t count;
    uint32_t table;
    State opened;
    bool ends;
  };

  State make_next(State state, uint8_t byte);
  State push(Local top, State below);
  State unite(State a, State b, int depth);
  State intern(const Items& items, bool ends);
  void begin_expansion();
  void expand(Local local, State below);
  bool add(Item& item);
  State take_expansion();

  GrammarWork work_;
  LocalStates locals_;

  std::vector<Item> items_;
  std::vector<Entry> states_;
  std::vector<uint32_t> tables_;
  HashIndex index_;
  std::unordered_map<uint64_t, State> united_;  // by pairs

  // Reused: the state that is being made.
  Items expanded_;
  std::unordered_map<Local, size_t> places_;  // of its local states, if they are many
  Items to_expand_;
  bool expanded_ends_ = false;
};

}  // namespace cria
