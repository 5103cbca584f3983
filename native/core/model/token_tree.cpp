#include "core/model/token_tree.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/model/vocabulary.h"

namespace cria {

namespace {

constexpr size_t kLongest = (size_t{1} << 24) - 1;

struct Piece {
  std::string bytes;
  llama_token token;
};

size_t common_length(const std::string& a, const std::string& b) {
  const size_t most = std::min(a.size(), b.size());
  size_t length = 0;
  while (length < most && a[length] == b[length])
    ++length;
  return length;
}

}  // namespace

std::string_view grammar_bytes(std::string_view piece) { return piece.substr(0, piece.find('\0')); }

TokenTree::TokenTree(const Vocabulary& vocabulary) {
  std::vector<Piece> pieces;
  for (llama_token token = 0; token < vocabulary.size(); ++token) {
    if (vocabulary.ends_generation(token)) {
      ending_.push_back(token);
      continue;
    }
    std::string bytes;
    vocabulary.append_piece(token, /*special=*/true, bytes);
    bytes.resize(grammar_bytes(bytes).size());
    if (!bytes.empty() && bytes.size() < kLongest) pieces.push_back({std::move(bytes), token});
  }
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.bytes < b.bytes; });
  std::vector<uint32_t> path;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  const std::string none;
  const std::string* before = &none;
  for (const Piece& piece : pieces) {
    close(common_length(*before, piece.bytes));
    while (path.size() < piece.bytes.size()) {
      const auto depth = static_cast<uint32_t>(path.size());
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      // Those of the node above stand in front of them.
      nodes_.push_back({0, static_cast<uint32_t>(tokens_.size()), depth,
                        static_cast<unsigned char>(piece.bytes[depth])});
      depth_ = std::max(depth_, depth + 1);
    }
    tokens_.push_back(piece.token);
    before = &piece.bytes;
  }
  close(0);
  const auto end = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({end, static_cast<uint32_t>(tokens_.size()), 0, 0});
}

}  // namespace cria
