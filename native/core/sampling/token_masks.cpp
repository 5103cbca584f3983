#include "core/sampling/token_masks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace cria {

namespace {

using State = GrammarStates::State;

// More tokens than this part of the vocabulary become a set.
constexpr size_t kPart = 32;
// Below a node with fewer ones a slice is not worth its questions.
constexpr uint32_t kFewNodes = 64;
// So many states may each be like the next one.
constexpr int kMostAlike = 8;
// Fewer texts that leave a rule are followed one by one.
constexpr size_t kManyExits = 512;

// Of making one or of adding it to another, in steps.
size_t work_of(const TokenSet& set) { return 1 + set.bytes() / 256; }

// The tokens of a node and of all below it.
void remove_below(const TokenTree& tree, uint32_t node, TokenSet& set) {
  const std::vector<TokenTree::Node>& nodes = tree.nodes();
  for (uint32_t rank = nodes[node].tokens; rank < nodes[nodes[node].end].tokens; ++rank)
    set.remove(tree.tokens()[rank]);
}

}  // namespace

// Collects what a rule's own state says of the tokens.
class TokenMasks::LocalWalk {
 public:
  LocalWalk(TokenMasks& masks, int depth)
      : masks_(masks), states_(masks.states_), tree_(masks.tree_), depth_(depth) {}

  LocalMask run(Local local) {
    const State start = states_.alone(local);
    const auto [characters, here] = states_.locals().widest(local);
    const bool wide = characters != nullptr && TokenSlices::is_wide(*characters);
    if (wide) slice_ = masks_.slices_.known(*characters);
    if (!wide || !like_another(local, start)) {
      // To make one takes longer than to walk the tokens that first come to such characters later.
      if (wide && here && !slice_) slice_ = masks_.slices_.of(*characters);
      if (!slice_ || !whole(start)) {
        masks_.path_[0] = start;
        masks_.walk(0, tree_.size(), *this);
      }
    }
    if (set_) {
      mask_.set = std::make_shared<const TokenSet>(std::move(*set_));
    }
    const std::vector<TokenTree::Node>& nodes = tree_.nodes();
    std::sort(mask_.exits.begin(), mask_.exits.end(), [&](uint32_t a, uint32_t b) {
      return nodes[a].byte != nodes[b].byte ? nodes[a].byte < nodes[b].byte : a < b;
    });
    mask_.exits.erase(std::unique(mask_.exits.begin(), mask_.exits.end()), mask_.exits.end());
    return std::move(mask_);
  }

  // Takes a node that a text leads to. True if what is below is done with.
  bool take(uint32_t node, State state) {
    const std::vector<TokenTree::Node>& nodes = tree_.nodes();
    for (uint32_t rank = nodes[node].tokens; rank < nodes[node + 1].tokens; ++rank)
      add(tree_.tokens()[rank]);
    const uint32_t end = nodes[node].end;
    if (states_.ends(state)) {
      for (uint32_t child = node + 1; child < end; child = nodes[child].end)
        mask_.exits.push_back(child);
    }
    if (!slice_ || end - node < kFewNodes) return false;
    const uint8_t characters = slice_->characters_at(node);
    if (characters == TokenSlice::kOutside) return false;
    const std::optional<Chain> chain = chain_from(state);
    if (!chain) return false;
    const std::vector<TokenSlice::Token>& tokens = slice_->tokens();
    states_.work().add(nodes[end].tokens - nodes[node + 1].tokens);
    auto token = std::lower_bound(
        tokens.begin(), tokens.end(), nodes[node + 1].tokens,
        [](const TokenSlice::Token& one, uint32_t rank) { return one.rank < rank; });
    for (; token != tokens.end() && token->rank < nodes[end].tokens; ++token) {
      if (chain->reaches(token->characters - characters)) add(tree_.tokens()[token->rank]);
    }
    follow_borders(*chain, characters, node + 1, end);
    return true;
  }

 private:
  // The states behind any character of the slice, any two, and so on.
  struct Chain {
    std::vector<State> states;
    bool endless;  // the last one leads to itself

    bool reaches(int characters) const {
      return endless || static_cast<size_t>(characters) < states.size();
    }
    State at(int characters) const {
      return states[std::min(static_cast<size_t>(characters), states.size() - 1)];
    }
  };

  using Exits = std::vector<std::pair<uint32_t, uint32_t>>;

  void make_set() {
    set_.emplace(masks_.slices_.vocabulary());
    states_.work().add(work_of(*set_));
  }

  void add(llama_token token) {
    if (set_) {
      set_->add(token);
      return;
    }
    mask_.tokens.push_back(token);
    if (mask_.tokens.size() < static_cast<size_t>(masks_.slices_.vocabulary()) / kPart) return;
    make_set();
    for (const llama_token one : mask_.tokens)
      set_->add(one);
    mask_.tokens.clear();
  }

  // As inside a text and at its beginning: only where they differ is anything walked.
  bool like_another(Local local, State start) {
    if (depth_ == kMostAlike) return false;
    const std::optional<State> alike = masks_.alike(start);
    if (!alike) return false;
    const GrammarStates::Items items = states_.items(*alike);
    if (items.size() != 1 || items[0].below != GrammarStates::kBottom) return false;
    const Local other = items[0].local;
    if (other == local) return false;
    const LocalMask& known = masks_.local(other, depth_ + 1);
    if (!known.set) return false;
    set_ = *known.set;
    states_.work().add(work_of(*set_) + known.exits.size());
    Differences differences{*this, {}};
    masks_.compare(start, states_.alone(other), differences);
    Exits& without = differences.without;
    std::sort(without.begin(), without.end());
    for (const uint32_t exit : known.exits) {
      const auto next =
          std::upper_bound(without.begin(), without.end(), std::pair(exit, UINT32_MAX));
      if (next == without.begin() || exit >= (next - 1)->second) mask_.exits.push_back(exit);
    }
    return true;
  }

  // From what is known of the other state.
  struct Differences {
    LocalWalk& walk;
    Exits without;  // nodes, and up to where, of which the other's exits do not hold

    void added(uint32_t node, State before) {
      without.emplace_back(node + 1, walk.tree_.nodes()[node].end);
      walk.masks_.visit(node, before, walk);
    }
    void removed(uint32_t node) {
      // The exit at the node itself is of a text that ends in front of it.
      without.emplace_back(node + 1, walk.tree_.nodes()[node].end);
      remove_below(walk.tree_, node, *walk.set_);
    }
    void both(uint32_t node, State state, State other) {
      const bool ends = walk.states_.ends(state);
      if (ends == walk.states_.ends(other)) return;
      const std::vector<TokenTree::Node>& nodes = walk.tree_.nodes();
      for (uint32_t child = node + 1; child < nodes[node].end; child = nodes[child].end) {
        if (ends) {
          walk.mask_.exits.push_back(child);
        } else {
          without.emplace_back(child, child + 1);
        }
      }
    }
  };

  // All tokens at once, where the beginning is already inside such a text.
  bool whole(State start) {
    const std::optional<Chain> chain = chain_from(start);
    if (!chain || !chain->reaches(1)) return false;
    const std::vector<llama_token>& tokens = slice_->by_length();
    const size_t reached = chain->endless ? tokens.size()
                                          : slice_->shorter(static_cast<uint8_t>(
                                                std::min<size_t>(chain->states.size() - 1, 255)));
    states_.work().add(std::min(reached, tokens.size() - reached));
    if (reached * 2 > tokens.size()) {
      set_ = slice_->set();
      states_.work().add(work_of(*set_));
      for (size_t i = reached; i < tokens.size(); ++i)
        set_->remove(tokens[i]);
    } else {
      for (size_t i = 0; i < reached; ++i)
        add(tokens[i]);
    }
    follow_borders(*chain, 0, 0, tree_.size());
    return true;
  }

  void follow_borders(const Chain& chain, int characters, uint32_t begin, uint32_t end) {
    states_.work().add(256);
    for (int byte = 0; byte < 256; ++byte) {
      const auto next = static_cast<uint8_t>(byte);
      const std::vector<TokenSlice::Border>& borders = slice_->borders(next);
      if (borders.empty()) continue;
      const bool begins = byte < 0x80 || byte >= 0xC0;
      const bool always_same = chain.endless && chain.states.size() == 1;
      if (begins && always_same && states_.next(chain.states[0], next) == GrammarStates::kDead) {
        continue;
      }
      auto border = std::lower_bound(
          borders.begin(), borders.end(), begin,
          [](const TokenSlice::Border& one, uint32_t node) { return one.node < node; });
      for (; border != borders.end() && border->node < end; ++border) {
        states_.work().add(1);
        const int passed = border->characters - characters;
        if (!chain.reaches(passed)) continue;
        State state = chain.at(passed);
        for (int i = 0; i < border->begun && state != GrammarStates::kDead; ++i)
          state = states_.next(state, border->bytes[i]);
        if (state != GrammarStates::kDead) masks_.visit(border->node, state, *this);
      }
    }
  }

  // Nothing where some characters of the slice lead elsewhere than others, or out of the rule.
  std::optional<Chain> chain_from(State state) {
    Chain chain{{state}, false};
    while (chain.states.size() <= slice_->longest()) {
      const std::optional<State> next = behind_all(chain.states.back());
      if (!next || states_.ends(*next)) return std::nullopt;
      if (*next == GrammarStates::kDead) return chain;
      if (*next == chain.states.back()) {
        chain.endless = true;
        return chain;
      }
      chain.states.push_back(*next);
    }
    // No token comes further.
    return chain;
  }

  // The one state that all characters of the slice lead to.
  std::optional<State> behind_all(State state) {
    const auto known = behind_.find(state);
    if (known != behind_.end()) return known->second;
    std::optional<State> found;
    const bool one = follow(slice_->start(), state, found);
    return behind_[state] = one ? found : std::nullopt;
  }

  bool follow(Utf8Automaton::Node node, State state, std::optional<State>& found) {
    for (const Utf8Automaton::Edge& edge : slice_->automaton().edges(node)) {
      for (int byte = edge.low; byte <= edge.high; ++byte) {
        const auto next_byte = static_cast<uint8_t>(byte);
        if (byte > edge.low && states_.locals().byte_class(next_byte) ==
                                   states_.locals().byte_class(static_cast<uint8_t>(byte - 1))) {
          continue;
        }
        states_.work().add(1);
        const State next = states_.next(state, next_byte);
        const bool whole = edge.node == Utf8Automaton::kWhole || next == GrammarStates::kDead;
        if (!whole) {
          if (!follow(edge.node, next, found)) return false;
          continue;
        }
        if (found && *found != next) return false;
        found = next;
      }
    }
    return true;
  }

  TokenMasks& masks_;
  GrammarStates& states_;
  const TokenTree& tree_;
  std::shared_ptr<const TokenSlice> slice_;  // may be null
  const int depth_;                          // of local states that are alike
  LocalMask mask_;
  std::optional<TokenSet> set_;
  std::unordered_map<State, std::optional<State>> behind_;
};

namespace {

// Adds what a text leads to, to a set.
class SetWalk {
 public:
  SetWalk(const TokenTree& tree, TokenSet& set) : tree_(tree), set_(set) {}

  bool take(uint32_t node, State) {
    const std::vector<TokenTree::Node>& nodes = tree_.nodes();
    for (uint32_t rank = nodes[node].tokens; rank < nodes[node + 1].tokens; ++rank)
      set_.add(tree_.tokens()[rank]);
    return false;
  }

 private:
  const TokenTree& tree_;
  TokenSet& set_;
};

}  // namespace

// From the set of another state.
struct TokenMasks::SetDifferences {
  TokenMasks& masks;
  TokenSet& set;

  void added(uint32_t node, State before) {
    SetWalk sink(masks.tree_, set);
    masks.visit(node, before, sink);
  }
  void removed(uint32_t node) { remove_below(masks.tree_, node, set); }
  void both(uint32_t, State, State) {}
};

TokenMasks::TokenMasks(GrammarGraph& graph, TokenSlices& slices)
    : states_(graph), slices_(slices), tree_(slices.tree()), path_(slices.tree().depth() + 1) {}

template <typename Sink>
void TokenMasks::visit(uint32_t node, State before, Sink& sink) {
  path_[tree_.nodes()[node].depth] = before;
  walk(node, tree_.nodes()[node].end, sink);
}

// Goes through nodes, of the first of which the state in front is in `path_`.
template <typename Sink>
void TokenMasks::walk(uint32_t begin, uint32_t end, Sink& sink) {
  const TokenTree::Node* const nodes = tree_.nodes().data();
  size_t steps = 0;
  for (uint32_t i = begin; i < end;) {
    const TokenTree::Node node = nodes[i];
    ++steps;
    const State state = states_.next(path_[node.depth], static_cast<uint8_t>(node.byte));
    if (state == GrammarStates::kDead) {
      i = node.end;
      continue;
    }
    if (sink.take(i, state)) {
      i = node.end;
      continue;
    }
    if (i + 1 < node.end) path_[node.depth + 1] = state;
    ++i;
  }
  states_.work().add(steps);
}

// The state that most tokens' first bytes lead to, if from there nearly all lead to the same as
// from this one.
std::optional<TokenMasks::State> TokenMasks::alike(State state) {
  const std::vector<TokenTree::Node>& nodes = tree_.nodes();
  std::map<State, uint32_t> weights;
  uint32_t all = 0;
  for (uint32_t root = 0; root < tree_.size(); root = nodes[root].end) {
    const State next = states_.next(state, static_cast<uint8_t>(nodes[root].byte));
    if (next == GrammarStates::kDead) continue;
    weights[next] += nodes[root].end - root;
    all += nodes[root].end - root;
  }
  const auto most = std::max_element(
      weights.begin(), weights.end(),
      [](const auto& one, const auto& other) { return one.second < other.second; });
  if (most == weights.end() || most->first == state) return std::nullopt;
  uint32_t differing = 0;
  for (uint32_t root = 0; root < tree_.size(); root = nodes[root].end) {
    const auto byte = static_cast<uint8_t>(nodes[root].byte);
    if (states_.next(state, byte) != states_.next(most->first, byte))
      differing += nodes[root].end - root;
  }
  if (differing > all / 2) return std::nullopt;
  return most->first;
}

// Walks from two states as far as they differ. Told of a node are: `added`, that only the first
// state takes it, and what is in front of it there; `removed`, that only the other does; `both`.
template <typename Sink>
void TokenMasks::compare(State first, State other, Sink& sink) {
  const std::vector<TokenTree::Node>& nodes = tree_.nodes();
  std::vector<std::pair<State, State>> path(tree_.depth() + 1);
  path[0] = {first, other};
  size_t steps = 0;
  for (uint32_t i = 0; i < tree_.size();) {
    const TokenTree::Node node = nodes[i];
    const auto byte = static_cast<uint8_t>(node.byte);
    const auto [before, other_before] = path[node.depth];
    const State state = states_.next(before, byte);
    const State other_state = states_.next(other_before, byte);
    ++steps;
    if (state == other_state) {
      i = node.end;
    } else if (other_state == GrammarStates::kDead) {
      sink.added(i, before);
      i = node.end;
    } else if (state == GrammarStates::kDead) {
      sink.removed(i);
      i = node.end;
    } else {
      sink.both(i, state, other_state);
      path[node.depth + 1] = {state, other_state};
      ++i;
    }
  }
  states_.work().add(steps);
}

const TokenMasks::LocalMask& TokenMasks::local(Local local, int depth) {
  const auto known = locals_.find(local);
  if (known != locals_.end()) return known->second;
  LocalMask mask = LocalWalk(*this, depth).run(local);
  bytes_ += sizeof mask + mask.tokens.capacity() * sizeof(llama_token) +
            mask.exits.capacity() * sizeof(uint32_t) + (mask.set ? mask.set->bytes() : 0);
  if (bytes() > GrammarWork::kMostBytes) GrammarWork::refuse();
  return locals_.emplace(local, std::move(mask)).first->second;
}

// The exits of a mask that what is behind the rule goes on from, by their first bytes.
template <typename Do>
void TokenMasks::each_exit(const LocalMask& mask, State behind, const Do& action) {
  const std::vector<TokenTree::Node>& nodes = tree_.nodes();
  const auto end = mask.exits.end();
  for (auto exit = mask.exits.begin(); exit != end;) {
    const auto byte = static_cast<uint8_t>(nodes[*exit].byte);
    const auto group = std::upper_bound(
        exit, end, byte, [&](uint8_t value, uint32_t node) { return value < nodes[node].byte; });
    if (states_.next(behind, byte) != GrammarStates::kDead) action(exit, group);
    exit = group;
  }
}

TokenMasks::Set TokenMasks::at(State state, int depth) {
  const auto known = sets_.find(state);
  if (known != sets_.end()) return known->second;
  std::optional<TokenSet> set = like_another(state, depth);
  if (!set) set = collect(state);
  bytes_ += set->bytes();
  return sets_[state] = std::make_shared<const TokenSet>(std::move(*set));
}

TokenSet TokenMasks::collect(State state) {
  TokenSet set(slices_.vocabulary());
  for (const GrammarStates::Item& item : states_.items(state)) {
    const LocalMask& mask = local(item.local);
    states_.work().add(1 + mask.tokens.size() / 64);
    if (mask.set) {
      set.add(*mask.set);
      states_.work().add(work_of(set));
    }
    for (const llama_token token : mask.tokens)
      set.add(token);
    if (item.below == GrammarStates::kBottom || mask.exits.empty()) continue;
    const State behind = states_.opened(item.below);
    SetWalk sink(tree_, set);
    each_exit(mask, behind, [&](auto exit, auto end) {
      for (; exit != end; ++exit)
        visit(*exit, behind, sink);
    });
  }
  if (states_.ends(state)) {
    for (const llama_token token : tree_.ending())
      set.add(token);
  }
  return set;
}

// Where many texts leave a rule for the inside of a text: one that has begun with any character but
// some is like any other then.
std::optional<TokenSet> TokenMasks::like_another(State state, int depth) {
  if (depth == kMostAlike || !leaves_in_many_ways(state)) return std::nullopt;
  const std::optional<State> other = alike(state);
  if (!other) return std::nullopt;
  TokenSet set = *at(*other, depth + 1);
  states_.work().add(work_of(set));
  SetDifferences differences{*this, set};
  compare(state, *other, differences);
  if (states_.ends(state) != states_.ends(*other)) {
    for (const llama_token token : tree_.ending()) {
      if (states_.ends(state)) {
        set.add(token);
      } else {
        set.remove(token);
      }
    }
  }
  return set;
}

bool TokenMasks::leaves_in_many_ways(State state) {
  for (const GrammarStates::Item& item : states_.items(state)) {
    const LocalMask& mask = local(item.local);
    if (item.below == GrammarStates::kBottom || mask.exits.size() < kManyExits) continue;
    size_t exits = 0;
    each_exit(mask, states_.opened(item.below),
              [&](auto exit, auto end) { exits += static_cast<size_t>(end - exit); });
    if (exits >= kManyExits) return true;
  }
  return false;
}

}  // namespace cria
