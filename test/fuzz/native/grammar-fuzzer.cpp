// Grammars such as lib/sampling/gbnf lets through, on the demo model's vocabulary
// ($CRIA_TEST_MODEL): the walk through the token tree finds what llama.cpp allows token by token,
// and what is allowed is accepted.
#include <fuzzer/FuzzedDataProvider.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/sampling/grammar_filter.h"
#include "demo_vocabulary.h"
#include "property.h"

namespace {

constexpr int kRules = 4;
constexpr int kTokens = 4;

// Writes rules that llama.cpp takes. It refuses left recursion, and repetitions of what may be
// empty: so rules name later ones, or any behind a character, and only what is not empty is
// repeated.
class Writer {
 public:
  explicit Writer(FuzzedDataProvider& input) : input_(input) {}

  std::string write() {
    std::string source;
    for (int rule = kRules - 1; rule >= 0; --rule) {
      rule_ = rule;
      const std::string name = rule == 0 ? "root" : "r" + std::to_string(rule);
      bool empty = false;
      source += name + " ::= " + alternatives(2, empty) + "\n";
      may_be_empty_[rule] = empty;
    }
    return source;
  }

 private:
  std::string alternatives(int depth, bool& empty) {
    std::string text = sequence(depth, empty);
    for (int more = input_.ConsumeIntegralInRange(0, 2); more > 0; --more) {
      bool other = false;
      text += " | " + sequence(depth, other);
      empty = empty || other;
    }
    return text;
  }

  std::string sequence(int depth, bool& empty) {
    std::string text;
    empty = true;
    for (int items = input_.ConsumeIntegralInRange(1, 3); items > 0; --items) {
      bool nothing = false;
      std::string one = item(depth, !empty, nothing);
      if (!nothing) one += repetition(nothing);
      text += one + " ";
      empty = empty && nothing;
    }
    return text;
  }

  std::string item(int depth, bool behind_text, bool& nothing) {
    switch (input_.ConsumeIntegralInRange(0, 4)) {
      case 0:
        return quoted();
      case 1:
        return character_class();
      case 2: {
        const int first = behind_text ? 0 : rule_ + 1;
        if (first >= kRules) return "[a-z]";
        const int named = input_.ConsumeIntegralInRange(first, kRules - 1);
        // Rules that are not written yet may turn out to be empty.
        nothing = named <= rule_ || may_be_empty_[named];
        return named == 0 ? "root" : "r" + std::to_string(named);
      }
      case 3:
        if (depth > 0) return "(" + alternatives(depth - 1, nothing) + ")";
        return "\"x\"";
      default:
        return input_.ConsumeBool() ? "." : "[^\\n]";
    }
  }

  std::string repetition(bool& nothing) {
    switch (input_.ConsumeIntegralInRange(0, 6)) {
      case 0:
        nothing = true;
        return "*";
      case 1:
        return "+";
      case 2:
        nothing = true;
        return "?";
      case 3: {
        const int least = input_.ConsumeIntegralInRange(1, 3);
        return "{" + std::to_string(least) + "," + std::to_string(least + 2) + "}";
      }
      default:
        return "";
    }
  }

  std::string escaped(uint32_t character) {
    char text[16];
    std::snprintf(text, sizeof text, character < 0x100 ? "\\x%02X" : "\\U%08X", character);
    return text;
  }

  uint32_t character() {
    switch (input_.ConsumeIntegralInRange(0, 3)) {
      case 0:
        return input_.ConsumeIntegralInRange<uint32_t>(0x80, 0x7FF);
      case 1:
        return input_.ConsumeIntegralInRange<uint32_t>(0xE000, 0x10FFFF);
      default:
        return input_.ConsumeIntegralInRange<uint32_t>('\t', '~');
    }
  }

  std::string quoted() {
    std::string text = "\"";
    for (int count = input_.ConsumeIntegralInRange(1, 4); count > 0; --count)
      text += escaped(character());
    return text + "\"";
  }

  std::string character_class() {
    std::string text = input_.ConsumeBool() ? "[^" : "[";
    for (int count = input_.ConsumeIntegralInRange(1, 3); count > 0; --count) {
      const uint32_t low = character();
      text += escaped(low);
      if (input_.ConsumeBool()) text += "-" + escaped(std::min(low + 25, uint32_t{0x10FFFF}));
    }
    return text + "]";
  }

  FuzzedDataProvider& input_;
  int rule_ = 0;
  bool may_be_empty_[kRules] = {};
};

// Asked about every token, without the tree.
cria::Tokens asked_one_by_one(cria::GrammarFilter filter, int32_t vocabulary) {
  std::vector<llama_token_data> all;
  for (llama_token token = 0; token < vocabulary; ++token)
    all.push_back({token, 1.0F, 0.0F});
  llama_token_data_array array{all.data(), all.size(), -1, false};
  filter.filter(array);
  cria::Tokens allowed;
  for (const llama_token_data& candidate : all) {
    if (std::isfinite(candidate.logit)) allowed.push_back(candidate.id);
  }
  return allowed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const cria::Vocabulary& vocabulary = fuzz::demo_vocabulary();
  FuzzedDataProvider input(data, size);
  cria::step::Grammar grammar;
  grammar.source = Writer(input).write();
  grammar.root = "root";
  try {
    cria::GrammarFilter filter(vocabulary, grammar);
    for (int i = 0; i < kTokens; ++i) {
      const cria::Tokens allowed = filter.allowed();
      DEMAND(allowed == asked_one_by_one(filter, vocabulary.size()));
      DEMAND(!allowed.empty());
      const size_t chosen = input.ConsumeIntegralInRange<size_t>(0, allowed.size() - 1);
      DEMAND(filter.allows(allowed[chosen]));
      filter.accept(allowed[chosen]);
      if (vocabulary.ends_generation(allowed[chosen])) break;
    }
  } catch (const cria::Error& error) {
    DEMAND(std::string(error.code()) == cria::code::kGrammarInvalid);
  }
  return 0;
}
