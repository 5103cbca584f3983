#include "core/model/token_tree.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/model/utf8.h"
#include "core/model/vocabulary.h"

namespace cria {

namespace {

struct Piece {
  std::string bytes;
  llama_token token;
};

// A character's length by its first byte, as llama.cpp reads it; 0 if no character begins with it.
int length_from(char byte) {
  const auto first = static_cast<unsigned char>(byte);
  if (first < 0x80) return 1;
  if (first < 0xC0) return 0;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : 4;
}

}  // namespace

int remaining_bytes(const std::string& bytes, int before) {
  int remaining = std::max(before, 0);
  for (const char byte : bytes) {
    if (byte == '\0') break;  // llama.cpp reads no further
    if (remaining > 0) {
      if (before > 0 && !utf8::continues(byte)) return -1;
      if (--remaining == 0) before = 0;
    } else {
      remaining = length_from(byte) - 1;
      if (remaining < 0) return -1;
      before = 0;
    }
  }
  return remaining;
}

TokenTree::TokenTree(const Vocabulary& vocabulary) {
  std::vector<Piece> pieces;
  texts_.assign(static_cast<size_t>(vocabulary.size()), true);
  for (llama_token token = 0; token < vocabulary.size(); ++token) {
    if (vocabulary.ends_generation(token)) {
      ending_.push_back(token);
      continue;
    }
    std::string bytes;
    vocabulary.append_piece(token, /*special=*/true, bytes);
    bytes.resize(std::min(bytes.size(), bytes.find('\0')));
    if (bytes.empty()) continue;
    texts_[static_cast<size_t>(token)] = utf8::begins_text(bytes);
    if (utf8::continues(bytes[0])) {
      continuing_.push_back(token);
    } else if (begins_text(token)) {
      pieces.push_back({std::move(bytes), token});
    }
  }
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.bytes < b.bytes; });

  // Sorted, a token comes after all of its ancestors.
  struct Draft {
    const std::string* bytes;
    Range tokens;
    std::vector<uint32_t> children;
  };
  std::vector<Draft> drafts;
  std::vector<uint32_t> roots;
  std::vector<uint32_t> path;
  for (const Piece& piece : pieces) {
    const auto place = static_cast<uint32_t>(tokens_.size());
    tokens_.push_back(piece.token);
    if (!drafts.empty() && *drafts.back().bytes == piece.bytes) {
      drafts.back().tokens.end = place + 1;
      continue;
    }
    const auto begins_with = [&](const std::string& bytes) {
      return piece.bytes.compare(0, bytes.size(), bytes) == 0;
    };
    while (!path.empty() && !begins_with(*drafts[path.back()].bytes))
      path.pop_back();
    const auto draft = static_cast<uint32_t>(drafts.size());
    (path.empty() ? roots : drafts[path.back()].children).push_back(draft);
    path.push_back(draft);
    drafts.push_back({&piece.bytes, {place, place + 1}, {}});
  }

  // Level by level, so that a node's children are neighbours.
  std::vector<uint32_t> order = roots;
  roots_ = {0, static_cast<uint32_t>(roots.size())};
  nodes_.reserve(drafts.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const Draft& draft = drafts[order[i]];
    const auto begin = static_cast<uint32_t>(order.size());
    const std::vector<uint32_t>& children = draft.children;
    order.insert(order.end(), children.begin(), children.end());
    nodes_.push_back({draft.tokens,
                      {begin, static_cast<uint32_t>(order.size())},
                      0,
                      remaining_bytes(*draft.bytes, 0) == 0});
  }
  places_.assign(static_cast<size_t>(vocabulary.size()), kNowhere);
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    for (uint32_t child = node.children.begin; child < node.children.end; ++child)
      node.below += 1 + nodes_[child].below;
    for (uint32_t place = node.tokens.begin; place < node.tokens.end; ++place)
      places_[static_cast<size_t>(tokens_[place])] = static_cast<uint32_t>(i);
  }
}

}  // namespace cria
