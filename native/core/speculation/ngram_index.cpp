#include "core/speculation/ngram_index.h"

#include <algorithm>

namespace cria {

namespace {

// How many tokens in front of both ends are the same.
int32_t match_before(const Tokens& tokens, int32_t end, int32_t other, int32_t most) {
  const int32_t longest = std::min({end, other, most});
  int32_t length = 0;
  while (length < longest && tokens[end - 1 - length] == tokens[other - 1 - length])
    ++length;
  return length;
}

}  // namespace

uint64_t NgramIndex::hash_before(const Tokens& tokens, int32_t end) {
  uint64_t hash = 0;
  for (int32_t i = end - kLength; i < end; ++i)
    hash = (hash + static_cast<uint32_t>(tokens[i]) + 1) * 0x9E3779B97F4A7C15ULL;
  return hash;
}

void NgramIndex::update(const Tokens& tokens) {
  const auto length = static_cast<int32_t>(tokens.size());
  const auto known = static_cast<int32_t>(earlier_.size());
  for (int32_t end = known; end < length; ++end) {
    int32_t earlier = kNowhere;
    if (end >= kLength) {
      const auto [place, added] = latest_.try_emplace(hash_before(tokens, end), end);
      if (!added) {
        earlier = place->second;
        place->second = end;
      }
    }
    earlier_.push_back(earlier);
  }
}

int32_t NgramIndex::find(const Tokens& tokens) const {
  const auto length = static_cast<int32_t>(tokens.size());
  if (length < kLength) return kNowhere;
  const auto found = latest_.find(hash_before(tokens, length));
  int32_t end = found == latest_.end() ? kNowhere : found->second;
  int32_t best = kNowhere;
  int32_t best_match = kLength - 1;
  for (int32_t places = 0; end != kNowhere && places < kMostPlaces; ++places) {
    const int32_t match = match_before(tokens, length, end, kLongestMatch);
    if (match > best_match) {
      best = end;
      best_match = match;
    }
    end = earlier_[end];
  }
  return best;
}

}  // namespace cria
