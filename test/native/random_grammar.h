// Grammars by chance such as llama.cpp takes: it refuses left recursion, and what may be empty in
// front of a rule's own name. So rules name later ones, or any behind a character, and only what is
// not empty is repeated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

// Where chance comes from has `uint32_t between(uint32_t low, uint32_t high)`, both included.
template <typename Chance>
class RandomGrammar {
 public:
  // Some rules may take this many tokens as such, by their ids; 0 for none.
  explicit RandomGrammar(Chance& chance, uint32_t tokens = 0) : chance_(chance), tokens_(tokens) {}

  std::string write() {
    std::string source;
    for (int rule = kRules - 1; rule >= 0; --rule) {
      rule_ = rule;
      bool empty = false;
      source += name_of(rule) + " ::= " + alternatives(2, empty);
      // Of some a text is never a part that is followed as if it were written out.
      if (rule > 0 && between(0, 2) == 0) source += " | \"(\" " + name_of(rule) + " \")\"";
      source += "\n";
      may_be_empty_[rule] = empty;
    }
    return source;
  }

 private:
  static constexpr int kRules = 5;
  static constexpr const char* kWide[] = {".", "[^\\n\"]", "[a-z]", "[a-zA-Z0-9 ]", "[^a]"};

  static std::string name_of(int rule) { return rule == 0 ? "root" : "r" + std::to_string(rule); }

  std::string alternatives(int depth, bool& empty) {
    std::string text = sequence(depth, empty);
    for (uint32_t more = between(0, 2); more > 0; --more) {
      bool other = false;
      text += " | " + sequence(depth, other);
      empty = empty || other;
    }
    return text;
  }

  std::string sequence(int depth, bool& empty) {
    std::string text;
    empty = true;
    for (uint32_t items = between(1, 3); items > 0; --items) {
      bool nothing = false;
      std::string one = item(depth, !empty, nothing);
      const bool rule = one[0] == 'r';
      if (!nothing && !rule) one += repetition(nothing);
      text += one + " ";
      empty = empty && nothing;
    }
    return text;
  }

  std::string item(int depth, bool behind_text, bool& nothing) {
    switch (between(0, 5)) {
      case 0:
        return literal();
      case 1:
        return character_class();
      case 2: {
        // Seldom back: recursion in many ways is what llama.cpp takes ever longer for.
        const int first = behind_text && between(0, 3) == 0 ? 0 : rule_ + 1;
        if (first >= kRules) return "[a-z]";
        const int named = static_cast<int>(between(first, kRules - 1));
        // Rules that are not written yet may turn out to be empty.
        nothing = named <= rule_ || may_be_empty_[named];
        return name_of(named);
      }
      case 3:
        if (depth > 0) return "(" + alternatives(depth - 1, nothing) + ")";
        return "\"x\"";
      case 4:
        if (tokens_ > 0 && between(0, 2) == 0) {
          return (between(0, 1) == 0 ? "<[" : "!<[") + std::to_string(between(0, tokens_ - 1)) +
                 "]>";
        }
        return literal();
      default:
        return kWide[between(0, 4)];
    }
  }

  std::string repetition(bool& nothing) {
    switch (between(0, 8)) {
      case 0:
        nothing = true;
        return "*";
      case 1:
        return "+";
      case 2:
        nothing = true;
        return "?";
      case 3: {
        const uint32_t least = between(1, 3);
        return "{" + std::to_string(least) + "," + std::to_string(least + 2) + "}";
      }
      case 4:
        return "{2,}";
      default:
        return "";
    }
  }

  static std::string escaped(uint32_t character) {
    char text[16];
    std::snprintf(text, sizeof text, character < 0x100 ? "\\x%02X" : "\\U%08X", character);
    return text;
  }

  // Few letters, so that what begins alike is frequent; and neighbours in two, three and four
  // bytes, which have their first bytes in common.
  uint32_t character() {
    switch (between(0, 7)) {
      case 0:
        return between(0xE0, 0xFF);
      case 1:
        return between(0x3040, 0x30C0);
      case 2:
        return between(0x1F600, 0x1F640);
      case 3:
        return between(0x80, 0x10FFFF);
      case 4:
        return between('\t', '~');
      default:
        return between('a', 'd');
    }
  }

  std::string literal() {
    std::string text = "\"";
    for (uint32_t count = between(1, 4); count > 0; --count)
      text += escaped(character());
    return text + "\"";
  }

  std::string character_class() {
    std::string text = between(0, 1) == 0 ? "[" : "[^";
    for (uint32_t count = between(1, 3); count > 0; --count) {
      const uint32_t low = character();
      text += escaped(low);
      if (between(0, 1) == 0) continue;
      const uint32_t wide = between(0, 3) == 0 ? 0x9000 : 25;
      text += "-" + escaped(std::min(low + wide, uint32_t{0x10FFFF}));
    }
    return text + "]";
  }

  uint32_t between(uint32_t low, uint32_t high) { return chance_.between(low, high); }

  Chance& chance_;
  const uint32_t tokens_;
  int rule_ = 0;
  bool may_be_empty_[kRules] = {};
};
