// utf8 and TextStream against a second, slow opinion that works on the whole text at once.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/text_stream.h"
#include "core/model/utf8.h"
#include "harness.h"

using cria::TextStream;
namespace utf8 = cria::utf8;

namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

std::string encode(uint32_t point) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  const auto tail = [&](int shift) { return byte(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), tail(0)};
  if (point < 0x10000) return {byte(0xE0 | point >> 12), tail(6), tail(0)};
  return {byte(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

// Every character there is and every beginning of one, by enumeration.
struct Characters {
  std::set<std::string> beginnings;
  std::set<std::string> whole;

  Characters() {
    for (uint32_t point = 0; point <= 0x10FFFF; ++point) {
      if (point >= 0xD800 && point <= 0xDFFF) continue;
      const std::string character = encode(point);
      whole.insert(whole.end(), character);  // UTF-8 sorts as the code points do
      for (size_t length = 1; length < character.size(); ++length) {
        beginnings.insert(character.substr(0, length));
      }
    }
  }
};

const Characters& characters() {
  static const Characters all;
  return all;
}

struct Decoded {
  std::string text;
  size_t open = 0;  // bytes at the end that begin a character
};

// The maximal-subpart rule, word by word: the longest beginning of a character, or one byte, is
// one replacement character.
Decoded decode(const std::string& bytes) {
  Decoded decoded;
  for (size_t at = 0; at < bytes.size();) {
    size_t taken = 1;
    std::string shown = kReplacement;
    decoded.open = 0;
    for (size_t length = 1; length <= 4 && at + length <= bytes.size(); ++length) {
      const std::string part = bytes.substr(at, length);
      if (characters().whole.count(part) > 0) {
        taken = length;
        shown = part;
        decoded.open = 0;
        break;
      }
      if (characters().beginnings.count(part) == 0) break;
      taken = length;
      decoded.open = at + length == bytes.size() ? length : 0;
    }
    decoded.text += shown;
    at += taken;
  }
  return decoded;
}

struct Expected {
  std::string text;
  std::optional<std::string> stop;
};

std::optional<std::string> stop_at_end(const std::string& bytes,
                                       const std::vector<std::string>& stops) {
  std::optional<std::string> longest;
  for (const std::string& stop : stops) {
    const bool ends = bytes.size() >= stop.size() &&
                      bytes.compare(bytes.size() - stop.size(), stop.size(), stop) == 0;
    if (ends && (!longest || stop.size() > longest->size())) longest = stop;
  }
  return longest;
}

// Byte by byte: the first position where a stop string ends.
Expected expect(const std::string& bytes, const std::vector<std::string>& stops) {
  for (size_t length = 1; length <= bytes.size(); ++length) {
    const std::string seen = bytes.substr(0, length);
    if (const auto stop = stop_at_end(seen, stops)) {
      return {decode(seen.substr(0, length - stop->size())).text, stop};
    }
  }
  return {decode(bytes).text, std::nullopt};
}

// What may be shown of a text that holds no stop string and may go on: all but what could become
// one, or a character. Not less, or a reader would wait for text that is certain.
std::string certain(const std::string& bytes, const std::vector<std::string>& stops) {
  size_t held = decode(bytes).open;
  for (size_t length = 1; length <= bytes.size(); ++length) {
    const std::string tail = bytes.substr(bytes.size() - length);
    for (const std::string& stop : stops) {
      if (stop.size() > length && stop.compare(0, length, tail) == 0) held = std::max(held, length);
    }
  }
  return decode(bytes.substr(0, bytes.size() - held)).text;
}

std::string context_of(const std::vector<std::string>& pieces,
                       const std::vector<std::string>& stops) {
  std::string shown = " for pieces";
  for (const std::string& piece : pieces)
    shown += " " + harness::show(piece);
  shown += " and stops";
  for (const std::string& stop : stops)
    shown += " " + harness::show(stop);
  return shown;
}

void check_pieces(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  std::string whole;
  for (const std::string& piece : pieces)
    whole += piece;
  const Expected expected = expect(whole, stops);

  TextStream stream(stops);
  std::string seen;
  std::string text;
  const auto require = [&](bool holds, const char* what) {
    if (!holds) harness::fail(__FILE__, __LINE__, what + context_of(pieces, stops));
  };
  for (const std::string& piece : pieces) {
    const bool stopped = stream.stopped_by().has_value();
    const std::string chunk = stream.push(piece);
    require(!stopped || chunk.empty(), "text after a stop string");
    require(decode(chunk).text == chunk, "a chunk that is not valid UTF-8");
    text += chunk;
    seen += piece;
    if (!stream.stopped_by()) require(text == certain(seen, stops), "too much or too little shown");
  }
  text += stream.finish();
  require(text == expected.text, "another text than that of the whole");
  require(stream.stopped_by() == expected.stop, "another stop string than that of the whole");
  require(stream.finish().empty(), "text after the end");
}

std::vector<std::string> cut(const std::string& text, const std::vector<size_t>& places) {
  std::vector<std::string> pieces;
  size_t start = 0;
  for (const size_t place : places) {
    pieces.push_back(text.substr(start, place - start));
    start = place;
  }
  pieces.push_back(text.substr(start));
  return pieces;
}

// Whole, byte by byte, and in three pieces of any lengths, empty ones among them.
void check_every_split(const std::string& text, const std::vector<std::string>& stops) {
  check_pieces({text}, stops);
  std::vector<std::string> bytes;
  for (const char byte : text)
    bytes.emplace_back(1, byte);
  check_pieces(bytes, stops);
  for (size_t first = 0; first <= text.size(); ++first) {
    for (size_t second = first; second <= text.size(); ++second) {
      check_pieces(cut(text, {first, second}), stops);
    }
  }
}

// One of each kind of byte and both ends of each range of the table of well-formed sequences.
const std::vector<unsigned char> kTellingBytes = {
    'a',  0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xFE, 0xFF};

void check_repair(const std::string& bytes) {
  const Decoded decoded = decode(bytes);
  if (utf8::repair(bytes) != decoded.text || utf8::unfinished_tail(bytes) != decoded.open) {
    harness::fail(__FILE__, __LINE__,
                  harness::show(bytes) + " became " + harness::show(utf8::repair(bytes)) +
                      " with " + std::to_string(utf8::unfinished_tail(bytes)) + " open, expected " +
                      harness::show(decoded.text) + " with " + std::to_string(decoded.open));
  }
}

void check_all_of_length(size_t length, std::string& bytes) {
  if (bytes.size() == length) return check_repair(bytes);
  for (const unsigned char byte : kTellingBytes) {
    bytes.push_back(static_cast<char>(byte));
    check_all_of_length(length, bytes);
    bytes.pop_back();
  }
}

}  // namespace

TEST(repair_leaves_every_character_as_it_is) {
  for (const std::string& character : characters().whole) {
    CHECK_EQ(utf8::repair(character), character);
    CHECK_EQ(utf8::unfinished_tail(character), size_t{0});
  }
}

TEST(repair_replaces_maximal_parts) {
  CHECK_EQ(utf8::repair("a\xF1\x80\x80\xE1\x80\xC2z"),
           "a" + kReplacement + kReplacement + kReplacement + "z");
  CHECK_EQ(utf8::repair("\xE2\x82"), kReplacement);
  CHECK_EQ(utf8::repair("\xED\xA0\x80"), kReplacement + kReplacement + kReplacement);
  CHECK_EQ(utf8::repair("\xC0\xAF"), kReplacement + kReplacement);
  CHECK_EQ(utf8::repair("\xF5\x80"), kReplacement + kReplacement);
  CHECK_EQ(utf8::repair(""), std::string());
  CHECK_EQ(utf8::repair(std::string_view("\0", 1)), std::string(1, '\0'));
}

TEST(repair_of_all_telling_sequences) {
  std::string bytes;
  for (size_t length = 1; length <= 4; ++length)
    check_all_of_length(length, bytes);
}

TEST(repair_of_random_bytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 2 == 0 ? random() % 256
                                                 : kTellingBytes[random() % kTellingBytes.size()]);
    }
    check_repair(bytes);
  }
}

TEST(characters_split_at_every_byte) {
  check_every_split("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\xA6\x99z", {});
  check_every_split("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", {});
}

TEST(bytes_that_are_no_text_split_at_every_byte) {
  check_every_split("a\xE2\x82z\xFF\xF0\x9F\xC3\xA9\x80", {});
  check_every_split("\xED\xA0\x80\xF4\x90\x80\x80", {});
  check_every_split("end\xF0\x9F\xA6", {});
}

TEST(stop_strings_split_at_every_byte) {
  check_every_split("tell me more, END of it", {"END"});
  check_every_split("no stop here", {"END"});
  check_every_split("END", {"END"});
  check_every_split("nearly EN", {"END"});
  check_every_split("EEENEND", {"END"});
  check_every_split("l\xC3\xA4ma \xF0\x9F\xA6\x99!", {"\xF0\x9F\xA6\x99"});
  check_every_split("l\xC3\xA4ma \xF0\x9F\xA6\x98!", {"\xF0\x9F\xA6\x99"});
  check_every_split("\xE2\x82\x41\xC3\xC3\xA9z", {"\xC3\xA9"});
}

TEST(overlapping_stop_strings) {
  check_every_split("aaab", {"aab", "aaab"});
  check_every_split("xabcdy", {"abcd", "bc"});
  check_every_split("xabcey", {"abcd", "bc"});
  check_every_split("xabababc", {"ababc"});
  check_every_split("one\n\ntwo", {"\n", "\n\n"});
  check_every_split("abcabd", {"abcabe", "abd", "cab"});
  check_every_split("xyz", {"z", "yz", "xyz"});
  check_every_split("twice", {"ice", "ice"});
}

TEST(the_first_end_wins_and_the_longest_of_those) {
  TextStream first({"abcd", "bc"});
  CHECK_EQ(first.push("xabcd"), "xa");
  CHECK_EQ(*first.stopped_by(), "bc");
  TextStream longest({"c", "abc", "bc"});
  CHECK_EQ(longest.push("xabc"), "x");
  CHECK_EQ(*longest.stopped_by(), "abc");
}

TEST(nothing_comes_after_a_stop_string) {
  TextStream stream({"stop"});
  CHECK_EQ(stream.push("go st"), "go ");
  CHECK_EQ(stream.push("op and on"), "");
  CHECK_EQ(*stream.stopped_by(), "stop");
  CHECK_EQ(stream.push("stop more"), "");
  CHECK_EQ(stream.finish(), "");
  CHECK_EQ(*stream.stopped_by(), "stop");
}

TEST(what_was_held_back_comes_at_the_end) {
  TextStream stream({"END"});
  CHECK_EQ(stream.push("the E"), "the ");
  CHECK_EQ(stream.push(""), "");
  CHECK_EQ(stream.push("N"), "");
  CHECK_EQ(stream.finish(), "EN");
  CHECK(!stream.stopped_by());
}

TEST(any_split_of_any_text_gives_the_same) {
  std::mt19937 random(7);
  const std::vector<std::string> alphabet = {"a",    "b",           "ab",       "\xC3\xA9",
                                             "\xC3", "\xA9",        "\xE2\x82", "\xF0\x9F\xA6\x99",
                                             "\xFF", "\xE2\x82\xAC"};
  const std::vector<std::string> letters = {"a", "b", "\xC3\xA9", "\xE2\x82\xAC",
                                            "\xF0\x9F\xA6\x99"};
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::string> stops(random() % 4);
    for (std::string& stop : stops) {
      for (size_t letter = 0, count = 1 + random() % 4; letter < count; ++letter) {
        stop += pick(letters);
      }
    }
    std::string text;
    for (size_t part = 0, count = random() % 12; part < count; ++part)
      text += pick(alphabet);
    std::vector<size_t> places(random() % 6);
    for (size_t& place : places)
      place = random() % (text.size() + 1);
    std::sort(places.begin(), places.end());
    check_pieces(cut(text, places), stops);
  }
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
