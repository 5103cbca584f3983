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

  // Not in the tree: those that end a generation, and those that begin within a character. Tokens
  // without bytes are nowhere, since no grammar allows them, nor are those that no text begins
  // with.
  const std::vector<llama_token>& ending() const { return ending_; }
  const std::vector<llama_token>& continuing() const { return continuing_; }

  // Whether what is whole so far can go on with this token: no bytes of it are ill-formed.
  bool begins_text(llama_token token) const { return texts_[static_cast<size_t>(token)]; }

 private:
  std::vector<Node> nodes_;
  std::vector<llama_token> tokens_;
  std::vector<uint32_t> places_;
  Range roots_;
  std::vector<llama_token> ending_;
  std::vector<llama_token> continuing_;
  std::vector<bool> texts_;
};

// How many bytes of a character are still to come after these, if so many were before; -1 where
// llama.cpp's grammars take them for no text at all.
int remaining_bytes(const std::string& bytes, int before);

}  // namespace cria
