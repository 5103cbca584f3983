// The tokens of a vocabulary as a tree of their bytes: what a grammar says of a byte holds for all
// tokens below it.
#pragma once

#include <llama.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace cria {

class Vocabulary;

// Immutable: any thread.
class TokenTree {
 public:
  explicit TokenTree(const Vocabulary& vocabulary);

  // The nodes stand in the order of a walk that goes down first: below a node are those behind it,
  // up to `end`.
  struct Node {
    uint32_t end;
    uint32_t
        tokens;  // where in tokens() those with these bytes begin; the next node's is their end
    uint32_t depth : 24;  // of a first byte, 0
    uint32_t byte : 8;
  };

  // One more at the end, which has no token.
  const std::vector<Node>& nodes() const { return nodes_; }
  uint32_t size() const { return static_cast<uint32_t>(nodes_.size() - 1); }
  uint32_t depth() const { return depth_; }

  // By their bytes. Not among them: tokens without bytes, since no grammar allows them, and those
  // that end a generation.
  const std::vector<llama_token>& tokens() const { return tokens_; }
  const std::vector<llama_token>& ending() const { return ending_; }

 private:
  std::vector<Node> nodes_;
  std::vector<llama_token> tokens_;
  std::vector<llama_token> ending_;
  uint32_t depth_ = 0;
};

// A token's bytes as grammars see them: up to a NUL, as llama.cpp reads them.
std::string_view grammar_bytes(std::string_view piece);

}  // namespace cria
