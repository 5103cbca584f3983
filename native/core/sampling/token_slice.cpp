#include "core/sampling/token_slice.h"

#include <algorithm>

namespace cria {

namespace {

// Longer tokens are few, mostly white space: they are walked.
constexpr uint8_t kMostCharacters = 24;

// What is known behind a node on the way down.
struct Step {
  Utf8Automaton::Node node;
  uint8_t characters;  // whole ones
  uint8_t begun;
  uint8_t bytes[3];
};

}  // namespace

TokenSlice::TokenSlice(const TokenTree& tree, int32_t vocabulary,
                       const Utf8Automaton::Ranges& characters)
    : start_(automaton_.add(characters, false)), counts_(tree.size(), kOutside), set_(vocabulary) {
  std::vector<Step> path(tree.depth() + 1);
  path[0] = {start_, 0, 0, {}};
  const std::vector<TokenTree::Node>& nodes = tree.nodes();
  for (uint32_t i = 0; i < tree.size();) {
    const TokenTree::Node node = nodes[i];
    const Step& before = path[node.depth];
    const auto byte = static_cast<uint8_t>(node.byte);
    const Utf8Automaton::Node next = automaton_.next(before.node, byte);
    if (next == Utf8Automaton::kDead || before.characters == kMostCharacters) {
      borders_[byte].push_back({i,
                                before.characters,
                                before.begun,
                                {before.bytes[0], before.bytes[1], before.bytes[2]}});
      longest_ = std::max(longest_, before.characters);
      i = node.end;
      continue;
    }
    Step& step = path[node.depth + 1];
    step = before;
    if (next == Utf8Automaton::kWhole) {
      ++step.characters;
      step.begun = 0;
      step.node = start_;
      counts_[i] = step.characters;
    } else {
      step.bytes[step.begun++] = byte;
      step.node = next;
    }
    const auto in_token = static_cast<uint8_t>(step.characters + (step.begun > 0 ? 1 : 0));
    for (uint32_t rank = node.tokens; rank < nodes[i + 1].tokens; ++rank) {
      tokens_.push_back({rank, in_token});
      set_.add(tree.tokens()[rank]);
      longest_ = std::max(longest_, in_token);
    }
    ++i;
  }
  length_ends_.assign(longest_ + size_t{1}, 0);
  for (const Token& token : tokens_)
    ++length_ends_[token.characters];
  for (size_t length = 1; length < length_ends_.size(); ++length)
    length_ends_[length] += length_ends_[length - 1];
  std::vector<size_t> next = length_ends_;
  by_length_.resize(tokens_.size());
  for (size_t i = tokens_.size(); i-- > 0;)
    by_length_[--next[tokens_[i].characters]] = tree.tokens()[tokens_[i].rank];
}

}  // namespace cria
