// The tokens of a vocabulary by the bytes they begin with: below each token those that go on from
// it, nearest first. What a grammar refuses it refuses with anything behind it, so whole branches
// need not be asked about.
#pragma once

#include <llama.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

class Vocabulary;

// Immutable: any thread.
class TokenTree {
 public:
  explicit TokenTree(const Vocabulary& vocabulary);

  // Tokens with the very same bytes are one node. `begin` and `end` are places in tokens() and, for
  // what goes on from it, in nodes().
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  struct Node {
    Range tokens;
    Range children;
    uint32_t below;  // how many nodes go on from it, near and far
    bool whole;      // its bytes end where a character ends
  };

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<llama_token>& tokens() const { return tokens_; }
  Range roots() const { return roots_; }

  // The node of each token of the vocabulary; kNowhere for those that are not in the tree.
  static constexpr uint32_t kNowhere = UINT32_MAX;
  const std::vector<uint32_t>& places() const { return places_; }

  // Not in the tree: those that end a generation, those that begin within a character, and those
  // that spell a character longer than need be, of which the above does not hold. Tokens without
  // bytes are nowhere, since no grammar allows them.
  const std::vector<llama_token>& ending() const { return ending_; }
  const std::vector<llama_token>& continuing() const { return continuing_; }
  const std::vector<llama_token>& overlong() const { return overlong_; }

 private:
  std::vector<Node> nodes_;
  std::vector<llama_token> tokens_;
  std::vector<uint32_t> places_;
  Range roots_;
  std::vector<llama_token> ending_;
  std::vector<llama_token> continuing_;
  std::vector<llama_token> overlong_;
};

// How many bytes of a character are still to come after these, if so many were before; -1 where
// llama.cpp's grammars take them for no text at all.
int remaining_bytes(const std::string& bytes, int before);

}  // namespace cria
