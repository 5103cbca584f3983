// The slices that grammars have asked for, kept for a vocabulary: most grammars have the same few.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/sampling/token_slice.h"

namespace cria {

// Any thread.
class TokenSlices {
 public:
  TokenSlices(const TokenTree& tree, int32_t vocabulary) : tree_(tree), vocabulary_(vocabulary) {}

  const TokenTree& tree() const { return tree_; }
  int32_t vocabulary() const { return vocabulary_; }

  // Of a smaller set the tokens are soon walked.
  static bool is_wide(const Utf8Automaton::Ranges& characters) {
    return character_count(characters) >= kFewCharacters;
  }
  std::shared_ptr<const TokenSlice> of(const Utf8Automaton::Ranges& characters);
  // Null if it is not there yet.
  std::shared_ptr<const TokenSlice> known(const Utf8Automaton::Ranges& characters);

 private:
  // With 128K tokens each has about 2 MB.
  static constexpr size_t kMost = 16;
  static constexpr uint32_t kFewCharacters = 20;

  std::shared_ptr<const TokenSlice> find(const Utf8Automaton::Ranges& characters);

  const TokenTree& tree_;
  const int32_t vocabulary_;
  std::mutex mutex_;
  // The last used comes last.
  std::vector<std::pair<Utf8Automaton::Ranges, std::shared_ptr<const TokenSlice>>> slices_;
};

}  // namespace cria
