// Sets of characters as automata over UTF-8: each takes its characters, and nothing else.

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/utf8.h"
#include "core/sampling/utf8_automaton.h"
#include "harness.h"

using cria::Utf8Automaton;
using Ranges = Utf8Automaton::Ranges;

namespace {

constexpr uint32_t kLast = 0x10FFFF;

std::string encode(uint32_t character) {
  const auto bits = [&](int shift) {
    return static_cast<char>(0x80 | (character >> shift & 0x3F));
  };
  if (character < 0x80) return {static_cast<char>(character)};
  if (character < 0x800) return {static_cast<char>(0xC0 | character >> 6), bits(0)};
  if (character < 0x10000) return {static_cast<char>(0xE0 | character >> 12), bits(6), bits(0)};
  return {static_cast<char>(0xF0 | character >> 18), bits(12), bits(6), bits(0)};
}

// 0 for bytes that are not one character, and for NUL.
uint32_t decode(std::string_view bytes) {
  if (bytes.empty() || cria::utf8::character_length(bytes, 0) != bytes.size()) return 0;
  const auto lead = static_cast<unsigned char>(bytes.front());
  uint32_t character = bytes.size() == 1 ? lead : lead & (0x7FU >> bytes.size());
  for (const char byte : bytes.substr(1))
    character = character << 6 | (static_cast<unsigned char>(byte) & 0x3FU);
  return character;
}

bool holds(const Ranges& ranges, bool negated, uint32_t character) {
  const bool within = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
    return range.first <= character && character <= range.second;
  });
  return within != negated;
}

// How many characters the node leads to; fails for a way that is none of the set.
uint32_t count(const Utf8Automaton& automaton, Utf8Automaton::Node node, const Ranges& ranges,
               bool negated, std::string& bytes) {
  uint32_t found = 0;
  int previous = -1;
  for (const Utf8Automaton::Edge& edge : automaton.edges(node)) {
    CHECK(edge.low > previous && edge.low <= edge.high);
    previous = edge.high;
    for (int byte = edge.low; byte <= edge.high; ++byte) {
      bytes.push_back(static_cast<char>(byte));
      CHECK(bytes.size() <= 4);
      if (edge.node == Utf8Automaton::kWhole) {
        const uint32_t character = decode(bytes);
        CHECK(character != 0 && encode(character) == bytes);
        CHECK(holds(ranges, negated, character));
        ++found;
      } else {
        found += count(automaton, edge.node, ranges, negated, bytes);
      }
      bytes.pop_back();
    }
  }
  return found;
}

// All characters that are in one of the ranges, or in none.
uint32_t expected(const Ranges& ranges, bool negated) {
  uint32_t all = 0;
  for (uint32_t character = 1; character <= kLast; ++character) {
    const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    if (!surrogate && holds(ranges, negated, character)) ++all;
  }
  return all;
}

void check(Utf8Automaton& automaton, const Ranges& ranges, bool negated) {
  const Utf8Automaton::Node node = automaton.add(ranges, negated);
  std::string bytes;
  CHECK_EQ(count(automaton, node, ranges, negated, bytes), expected(ranges, negated));
  CHECK_EQ(automaton.add(ranges, negated), node);
}

}  // namespace

TEST(a_set_takes_its_characters_and_nothing_else) {
  // Where the number of bytes, the first byte or a block of those behind it changes.
  const std::vector<uint32_t> borders = {
      0x0,     0x1,      0x7F,     0x80,     0xBF,     0xC0,     0x7FF,
      0x800,   0xFFF,    0x1000,   0xCFFF,   0xD7FF,   0xD800,   0xDFFF,
      0xE000,  0xFFFF,   0x10000,  0x3FFFF,  0x40000,  0x4003F,  0x4103F,
      0xFFFFF, 0x100000, 0x10FFBF, 0x10FFFE, 0x10FFFF, 0x110000, 0xFFFFFFFF};
  std::mt19937 chance(7);
  Utf8Automaton automaton;
  check(automaton, {}, true);
  for (int round = 0; round < 60; ++round) {
    Ranges ranges;
    for (size_t more = 1 + chance() % 4; more > 0; --more) {
      const uint32_t low = borders[chance() % borders.size()] + chance() % 3 - 1;
      const uint32_t high =
          chance() % 3 == 0 ? low + chance() % 200 : borders[chance() % borders.size()];
      ranges.emplace_back(low, high);
    }
    check(automaton, ranges, round % 2 == 1);
  }
}

TEST(equal_sets_are_one_node) {
  Utf8Automaton automaton;
  const auto letters = automaton.add({{'a', 'z'}}, false);
  CHECK_EQ(automaton.add({{'n', 'z'}, {'a', 'p'}}, false), letters);
  CHECK_EQ(automaton.add({{0, 'a' - 1}, {'z' + 1, kLast}}, true), letters);
  CHECK(automaton.add({{'a', 'y'}}, false) != letters);
  CHECK_EQ(cria::character_count(*automaton.ranges(letters)), 26U);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
