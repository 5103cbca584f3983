// A set of the tokens of a vocabulary, a bit each.
#pragma once

#include <llama.h>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace cria {

class TokenSet {
 public:
  TokenSet() = default;
  explicit TokenSet(int32_t vocabulary) : words_((static_cast<size_t>(vocabulary) + 63) / 64) {}

  bool has(llama_token token) const { return (words_[word(token)] >> bit(token) & 1) != 0; }
  void add(llama_token token) { words_[word(token)] |= uint64_t{1} << bit(token); }
  void remove(llama_token token) { words_[word(token)] &= ~(uint64_t{1} << bit(token)); }
  void add(const TokenSet& other) {
    for (size_t i = 0; i < words_.size(); ++i)
      words_[i] |= other.words_[i];
  }

  // Calls with each token, rising.
  template <typename Do>
  void each(const Do& action) const {
    for (size_t i = 0; i < words_.size(); ++i) {
      for (uint64_t left = words_[i]; left != 0; left &= left - 1)
        action(static_cast<llama_token>(64 * i + lowest(left)));
    }
  }

  size_t count() const {
    size_t count = 0;
    for (const uint64_t word : words_)
      count += std::bitset<64>(word).count();
    return count;
  }
  size_t bytes() const { return words_.size() * sizeof(uint64_t); }

 private:
  static size_t word(llama_token token) { return static_cast<size_t>(token) / 64; }
  static unsigned bit(llama_token token) { return static_cast<unsigned>(token) % 64; }
  static size_t lowest(uint64_t value) {
#if defined(__GNUC__)
    return static_cast<size_t>(__builtin_ctzll(value));
#else
    size_t at = 0;
    while ((value >> at & 1) == 0)
      ++at;
    return at;
#endif
  }

  std::vector<uint64_t> words_;
};

}  // namespace cria
