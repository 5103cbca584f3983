// Which tokens may come at the states of a grammar, kept once they are known.
//
// What a rule's own state says of the tokens that stay inside the rule is the same wherever the
// rule is used; those that leave it are followed through what is behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/grammar_states.h"
#include "core/sampling/token_set.h"
#include "core/sampling/token_slices.h"

namespace cria {

// One thread at a time.
class TokenMasks {
 public:
  using Set = std::shared_ptr<const TokenSet>;

  TokenMasks(GrammarGraph& graph, TokenSlices& slices);

  GrammarStates& states() { return states_; }

  // By their bytes; what the grammar says of tokens as such is left out. Throws
  // ERR_GRAMMAR_INVALID past the limit of work.
  Set at(GrammarStates::State state) { return at(state, 0); }
  size_t bytes() const { return states_.bytes() + bytes_; }

 private:
  using State = GrammarStates::State;
  using Local = GrammarStates::Local;

  // Of a rule's own state.
  struct LocalMask {
    Set set;        // may be null
    Tokens tokens;  // and these
    // Below these nodes' parents the text may leave the rule; by their bytes.
    std::vector<uint32_t> exits;
  };
  class LocalWalk;
  struct SetDifferences;

  template <typename Sink>
  void visit(uint32_t node, State before, Sink& sink);
  template <typename Sink>
  void walk(uint32_t begin, uint32_t end, Sink& sink);
  std::optional<State> alike(State state);
  template <typename Sink>
  void compare(State first, State other, Sink& sink);
  const LocalMask& local(Local local, int depth = 0);
  template <typename Do>
  void each_exit(const LocalMask& mask, State behind, const Do& action);
  Set at(State state, int depth);
  TokenSet collect(State state);
  std::optional<TokenSet> like_another(State state, int depth);
  bool leaves_in_many_ways(State state);

  GrammarStates states_;
  TokenSlices& slices_;
  const TokenTree& tree_;
  std::unordered_map<Local, LocalMask> locals_;
  std::unordered_map<State, Set> sets_;
  size_t bytes_ = 0;
  std::vector<State> path_;  // by depth: the state in front of a node there
};

}  // namespace cria
