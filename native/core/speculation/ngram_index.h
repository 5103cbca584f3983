// Where the last tokens of a text stood before: what followed them there may follow them again, as
// in an edited source, a quotation, or the keys of a list of objects. One thread at a time.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

class NgramIndex {
 public:
  // Takes in what `tokens` have beyond the text that it knows.
  void update(const Tokens& tokens);

  // Where the longest match of the text's end ends, of equals the latest; kNowhere if its last
  // tokens are new. `tokens`: those of the last update.
  int32_t find(const Tokens& tokens) const;

  static constexpr int32_t kNowhere = -1;
  static constexpr int32_t kLength = 3;  // of an n-gram: fewer tokens match nearly anywhere

 private:
  static constexpr int32_t kMostPlaces = 16;  // that are compared, the latest first
  static constexpr int32_t kLongestMatch = 64;

  static uint64_t hash_before(const Tokens& tokens, int32_t end);

  // Ends of n-grams, by hash: the latest but for the text's own end; by end: the one before it with
  // the same hash.
  std::unordered_map<uint64_t, int32_t> latest_;
  std::vector<int32_t> earlier_;
};

}  // namespace cria
