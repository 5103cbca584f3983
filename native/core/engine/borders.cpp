#include "core/engine/borders.h"

#include <algorithm>
#include <iterator>

namespace cria {

namespace {

// Where nothing is cached, the cut costs about as much as a generated token: not for a short
// prompt, nor for the few tokens with which a template opens the answer.
constexpr int32_t kLeastBefore = 128;
constexpr int32_t kLeastBehind = 16;

// Between two cuts for checkpoints, for the same reason.
constexpr int32_t kLeastApart = 16;

}  // namespace

Cuts cuts_of(const Tokens& tokens, const Vocabulary& vocabulary, const BorderRule& rule) {
  if (rule.checkpoints) return message_ends(tokens, vocabulary);
  const int32_t cut = short_end(tokens, vocabulary, rule.micro_batch);
  return cut > 0 ? Cuts{cut} : Cuts{};
}

Cuts message_ends(const Tokens& tokens, const Vocabulary& vocabulary) {
  const auto length = static_cast<int32_t>(tokens.size());
  Cuts cuts;
  for (int32_t cut = kLeastApart; cut < length; ++cut) {
    if (!vocabulary.ends_generation(tokens[static_cast<size_t>(cut - 1)])) continue;
    if (cuts.empty() || cut - cuts.back() >= kLeastApart) cuts.push_back(cut);
  }
  return cuts;
}

int32_t short_end(const Tokens& tokens, const Vocabulary& vocabulary, int32_t micro_batch) {
  const auto length = static_cast<int32_t>(tokens.size());
  for (int32_t cut = std::max(kLeastBefore, length - kTile + 1); cut <= length - kLeastBehind;
       ++cut) {
    // What is before is in tiles for everybody who shares it.
    const int32_t rest = cut % micro_batch;
    const bool in_tiles = rest == 0 || rest >= kTile;
    if (in_tiles && vocabulary.ends_generation(tokens[static_cast<size_t>(cut - 1)])) return cut;
  }
  return 0;
}

Borders::Span Borders::around(int32_t position) const {
  const auto next = std::upper_bound(cuts.begin(), cuts.end(), position);
  const int32_t cut = next == cuts.begin() ? 0 : *std::prev(next);
  const int32_t from = std::max(cut, start);
  const int32_t begin = from + (position - from) / micro_batch * micro_batch;
  return {begin, std::min(begin + micro_batch, next == cuts.end() ? length : *next)};
}

int32_t Borders::exact_prefix(int32_t common) const {
  const Span span = around(common);
  return std::max(span.begin, std::min(common, span.end - kTile));
}

}  // namespace cria
