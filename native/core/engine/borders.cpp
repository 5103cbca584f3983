#include "core/engine/borders.h"

#include <algorithm>
#include <iterator>

namespace cria {

namespace {

// Between two cuts: one costs about as much as a generated token.
constexpr int32_t kLeastApart = 16;

}  // namespace

Cuts message_ends(const Tokens& tokens, const Vocabulary& vocabulary) {
  const auto length = static_cast<int32_t>(tokens.size());
  Cuts cuts;
  for (int32_t cut = kLeastApart; cut < length; ++cut) {
    if (!vocabulary.ends_generation(tokens[static_cast<size_t>(cut - 1)])) continue;
    if (cuts.empty() || cut - cuts.back() >= kLeastApart) cuts.push_back(cut);
  }
  return cuts;
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
  return std::max(span.begin, std::min(common, span.end - kLeastRows));
}

}  // namespace cria
