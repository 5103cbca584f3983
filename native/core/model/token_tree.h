// The tokens of a vocabulary as a tree: below each token are those whose bytes begin with its
// bytes. If a grammar refuses a token, it refuses everything below it, so whole branches need not
// be tried.
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

  // Tokens with the same bytes share a node. `begin` and `end` are indexes of tokens() and, for the
  // children, of nodes().
  struct Range {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  struct Node {
    Range tokens;
    Range children;
    uint32_t below;  // the number of its descendants
    bool whole;      // its bytes end where a character ends
  };

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<llama_token>& tokens() const { return tokens_; }
  Range roots() const { return roots_; }

  // The node of each token of the vocabulary; kNowhere for those that are not in the tree.
  static constexpr uint32_t kNowhere = UINT32_MAX;
  const std::vector<uint32_t>& places() const { return places_; }

  // Not in the tree: tokens that end a generation, and those that begin in the middle of a
  // character. Tokens without bytes are nowhere, since no grammar allows them, and neither are
  // those with which no valid text can begin.
  const std::vector<llama_token>& ending() const { return ending_; }
  const std::vector<llama_token>& continuing() const { return continuing_; }

  // Whether this token may follow a complete character: none of its bytes are ill-formed.
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

// How many bytes of a character are missing after these, if `before` were missing in front of them;
// -1 if llama.cpp's grammars do not accept them as text at all.
int remaining_bytes(const std::string& bytes, int before);

}  // namespace cria
