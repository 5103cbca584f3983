#include "core/sampling/token_slices.h"

#include <algorithm>

namespace cria {

std::shared_ptr<const TokenSlice> TokenSlices::of(const Utf8Automaton::Ranges& characters) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (auto known = find(characters)) return known;
  auto made = std::make_shared<const TokenSlice>(tree_, vocabulary_, characters);
  if (slices_.size() == kMost) slices_.erase(slices_.begin());
  slices_.emplace_back(characters, made);
  return made;
}

std::shared_ptr<const TokenSlice> TokenSlices::known(const Utf8Automaton::Ranges& characters) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return find(characters);
}

std::shared_ptr<const TokenSlice> TokenSlices::find(const Utf8Automaton::Ranges& characters) {
  const auto known = std::find_if(slices_.begin(), slices_.end(),
                                  [&](const auto& one) { return one.first == characters; });
  if (known == slices_.end()) return nullptr;
  std::rotate(known, known + 1, slices_.end());
  return slices_.back().second;
}

}  // namespace cria
