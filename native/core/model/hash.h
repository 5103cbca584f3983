// Tells one text from another, and a damaged file from a whole one. Against accidents, not against
// attackers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace cria {

inline constexpr uint64_t kHashSeed = 0xcbf29ce484222325;

// FNV-1a over 8 bytes at a time. The hash of what comes first is the seed for what follows.
inline uint64_t hash(const void* data, size_t size, uint64_t seed = kHashSeed) {
  constexpr uint64_t kPrime = 0x100000001b3;
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t sum = seed;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    sum = (sum ^ word) * kPrime;
    sum ^= sum >> 29;
  }
  for (; size > 0; --size, ++bytes)
    sum = (sum ^ *bytes) * kPrime;
  return sum;
}

inline uint64_t hash_of(const std::string& text) { return hash(text.data(), text.size()); }

}  // namespace cria
