// cria::GrammarMatcher against llama.cpp's grammar asked about every single token, and on grammars
// that llama.cpp would not survive.
//
//   cria-grammar-matcher-test MODEL LLAMA_CPP [tests…]
//
// LLAMA_CPP is its source tree, which has grammars and a large vocabulary.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/model/error.h"
#include "core/model/vocabulary.h"
#include "core/sampling/compiled_grammar.h"
#include "core/sampling/grammar_filter.h"
#include "grammar_oracle.h"
#include "grammar_vocabularies.h"
#include "harness.h"
#include "llama.h"
#include "random_grammar.h"

using cria::GrammarFilter;
using cria::Tokens;
using cria::Vocabulary;
using grammars::error_of;
using grammars::grammar_of;
using grammars::large;
using grammars::small;

namespace {

std::filesystem::path g_llama_cpp;

int compare(const Vocabulary& vocabulary, const std::string& source, uint32_t seed, int states) {
  return oracle::compare({vocabulary, source, seed, states});
}

const char* const kJson = R"(value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member ("," member)*)? "}"
member ::= string ":" value
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4})
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]{1,3})?
)";

std::vector<std::string> examples() {
  return {
      std::string(R"(root ::= value
)") + kJson,
      std::string(R"(root ::= "{\"name\":" name tags? ",\"n\":" ("-"? [1-9] [0-9]? | "0") "}"
name ::= "\"" char{0,30} "\""
tags ::= ",\"tags\":[" (tag ("," tag)*)? "]"
tag ::= "\"red\"" | "\"größer\"" | "\"日本\""
)") + kJson,
      R"(root ::= "[\"" time ("\",\"" time)+ "\"]"
time ::= date "T" hour ":" sixty ":" sixty ("." [0-9]+)? ("Z" | [+-] hour ":" sixty)
date ::= [0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])
hour ::= [01] [0-9] | "2" [0-3]
sixty ::= [0-5] [0-9])",
      R"(root ::= [a-z ]+ ("," root)?)",
      R"(root ::= [a-zà-ÿ]{1,40})",
      R"(root ::= [^é]*)",
      R"(root ::= [^\u4e00-\u4fff\n]* "\n")",
      R"(root ::= [^中一]*)",
      R"(root ::= [^😀😁é]+ "!")",
      R"(root ::= [^a-\xff]{2,9} .*)",
      R"(root ::= .{3} [ぁ-ゖ一-龯]+)",
      R"(root ::= ("日本語" | "日曜日" | "🦙" | "🦝" | "é" | "ñandú")+)",
      R"(root ::= [\U0001F000-\U0001FFFF]+ "é"?)",
      R"(root ::= ("yes" | "yesterday" | "y" "es!") "?"?)",
      R"(# [^é] "quoted
root ::= "[^é" [^\]"]* "\"" # <[5]>
)",
      R"(root ::= <[97]> [a-z]* !<[98]> "x"?)",
      R"(root ::= !<[97]> !<[300]> [^é]*)",
      R"(root ::= ("a" | <|start_header_id|> | [b-y]) root | "z")",
      R"re(root ::= r ("ab" | "1" r)
r ::= "a" [b-z]* | [b-z] [a-z]* | "(" r ")")re",
      R"re(root ::= r [a-z ]+ r "."
r ::= "the" [^t]* | [^t] [^o(]* | "(" r ")")re",
      R"re(root ::= "\"" name ":" [^n"]* "\""
name ::= "n" ([^o"] [^"]*)? | [^n"(] [^"(]* | "no" [a-m]* | "(" name ")")re",
      // Names other than ab, ac and b: begun with another letter, they are any text.
      R"re(root ::= "{" members
members ::= other rest | "\"ab\":1" rest
rest ::= "," members | "}"
other ::= text ":" [0-9]+
text ::= "\"" name
name ::= "a" after-a | "b" after-b | not-ab any | "\""
after-a ::= "b" longer | "c" longer | not-bc any | "\""
after-b ::= one any
longer ::= one any
any ::= one any | "\""
not-ab ::= [^"\\abA-C] | escaped
not-bc ::= [^"\\bc] | escaped
one ::= [^"\\] | escaped
escaped ::= "\\" ["\\bfnrt] | "\\u00" [0-9a-f]{2})re",
      // The same, where the text may end at any character, and where other rules lie between.
      R"re(root ::= [^t(] rest | "the" ending | "(" root ")"
rest ::= ending
ending ::= any?
any ::= [^)] any | [^)])re",
      R"re(root ::= first any "!" | ""
first ::= [^a!] | "a" [^b!]
any ::= [^!] any | "")re",
      R"(root ::= "")",
  };
}

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  uint32_t between(uint32_t low, uint32_t high) { return low + random_() % (high - low + 1); }

 private:
  std::mt19937 random_;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

GrammarFilter filter_of(const std::string& source) {
  return GrammarFilter(small(), grammar_of(source));
}

void accept_text(GrammarFilter& filter, const std::string& text) {
  for (const llama_token token : small().tokenize(text, false))
    filter.accept(token);
}

// Whether a text may go on with this, or end.
bool allows(GrammarFilter& filter, const char* text) {
  return filter.allows(small().tokenize(text, false)[0]);
}
bool may_end(GrammarFilter& filter) { return filter.allows(small().eot()); }

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i)
    all += text;
  return all;
}

}  // namespace

TEST(masks_are_llama_cpps) {
  int states = 0;
  for (const std::string& source : examples()) {
    for (uint32_t seed = 0; seed < 30; ++seed)
      states += compare(small(), source, seed, 30);
  }
  CHECK(states > 5'000);
}

TEST(masks_of_128k_tokens_are_llama_cpps) {
  int states = 0;
  for (const std::string& source : examples()) {
    for (uint32_t seed = 1; seed < 3; ++seed)
      states += compare(large(), source, seed, 10);
  }
  CHECK(states > 200);
}

TEST(masks_of_llama_cpps_own_grammars_are_llama_cpps) {
  int files = 0;
  int states = 0;
  for (const auto& entry : std::filesystem::directory_iterator(g_llama_cpp / "grammars")) {
    if (entry.path().extension() != ".gbnf") continue;
    ++files;
    const std::string source = read_file(entry.path());
    for (uint32_t seed = 0; seed < 20; ++seed)
      states += compare(small(), source, seed, 40);
    states += compare(large(), source, 1, 15);
  }
  CHECK(files >= 8);
  CHECK(states > 3'000);
}

TEST(masks_of_grammars_by_chance_are_llama_cpps) {
  int states = 0;
  int refused = 0;
  for (uint32_t seed = 0; seed < 160; ++seed) {
    const Vocabulary& vocabulary = seed % 8 == 7 ? large() : small();
    Dice dice(seed);
    const auto tokens = static_cast<uint32_t>(vocabulary.size());
    const std::string source = RandomGrammar<Dice>(dice, seed % 4 == 0 ? tokens : 0).write();
    try {
      states += oracle::compare({vocabulary, source, seed, 12, 10});
    } catch (const cria::Error&) {
      ++refused;  // too ambiguous
    }
  }
  CHECK(states > 1'000);
  CHECK(refused < 3);
}

// llama.cpp's stacks would double with each character.
TEST(many_ways_to_read_a_text_are_followed_together) {
  GrammarFilter filter = filter_of(R"(root ::= s "!"
s ::= "a" s "b" | "a" s "c" | "a" s | "a" t | "a"
t ::= "a" t "b" | s s | "b")");
  accept_text(filter, repeated("a", 300));
  CHECK(allows(filter, "a") && allows(filter, "b") && allows(filter, "!") && !may_end(filter));
  accept_text(filter, repeated("b", 200) + "!");
  CHECK(!allows(filter, "!") && may_end(filter));
}

TEST(texts_may_nest_as_deep_as_they_are_long) {
  constexpr int kDepth = 20'000;
  GrammarFilter filter = filter_of(R"re(root ::= "[" root? "]" | "(" root ")")re");
  accept_text(filter, repeated("[", kDepth) + "(");
  CHECK(!allows(filter, ")") && !allows(filter, "]"));
  accept_text(filter, "[])");
  CHECK(!allows(filter, ")"));
  accept_text(filter, repeated("]", kDepth - 1));
  CHECK(!may_end(filter));
  accept_text(filter, "]");
  CHECK(may_end(filter) && !allows(filter, "]"));
}

TEST(repetitions_are_counted_to_the_last) {
  GrammarFilter filter = filter_of(R"(root ::= item{3,1999} ";" ("x"{2000} | [xy]{0,1500} "z")
item ::= "<" [a-z]{1,3} ">")");
  accept_text(filter, repeated("<ab>", 1'998));
  CHECK(allows(filter, "<") && allows(filter, ";"));
  accept_text(filter, "<abc>");
  CHECK(!allows(filter, "<") && allows(filter, ";"));
  accept_text(filter, ";" + repeated("x", 1'500));
  CHECK(allows(filter, "x") && !allows(filter, "y") && allows(filter, "z"));
  accept_text(filter, repeated("x", 500));
  CHECK(may_end(filter) && !allows(filter, "x"));
}

// Of 128K tokens each mask has 16 KB: what is kept is begun anew on the way.
TEST(what_is_kept_is_bounded_and_nothing_is_lost) {
  const std::string source = R"(root ::= ("(" text{2} "-"){2} | "(" [A-Z]{1999}
text ::= ([b-z] | "\\" [a-z]) [a-z]{1999})";
  const auto compiled = cria::CompiledGrammar::shared(large(), source, "root");
  // One that waits for its turn does not keep what others find out meanwhile.
  GrammarFilter waiting(large(), grammar_of(source));
  std::weak_ptr<cria::TokenMasks> first;
  {
    const std::lock_guard<std::mutex> lock(compiled->mutex());
    first = compiled->masks();
  }
  GrammarFilter filter(large(), grammar_of(source));
  const auto allows = [&](const char* text) {
    return filter.allows(large().tokenize(text, false)[0]);
  };
  size_t most = 0;
  for (int part = 0; part < 2; ++part) {
    filter.accept(large().tokenize("(", false)[0]);
    for (int i = 0; i < 4'000; ++i) {
      CHECK(!allows("-") && allows("x"));
      CHECK(filter.mask().has(large().tokenize("b", false)[0]));
      filter.accept(large().tokenize("x", false)[0]);
      most = std::max(most, compiled->bytes());
    }
    CHECK(allows("-") && !allows("x"));
    filter.accept(large().tokenize("-", false)[0]);
  }
  CHECK(filter.allows(large().eot()));
  CHECK(most > (size_t{16} << 20) && most < (size_t{64} << 20));
  CHECK(first.expired());
  CHECK(waiting.allows(large().tokenize("(", false)[0]));
}

// What one has found out, the others know.
TEST(threads_follow_a_grammar_together) {
  const std::string source = std::string("root ::= value\n") + kJson;
  const auto walk = [&](uint32_t seed) {
    GrammarFilter filter(small(), grammar_of(source));
    Dice dice(seed);
    std::string text;
    for (int i = 0; i < 60; ++i) {
      const Tokens& allowed = filter.allowed();
      Tokens tokens;
      filter.forced(8, tokens);
      if (allowed.empty()) break;
      const auto last = static_cast<uint32_t>(allowed.size() - 1);
      const llama_token token = allowed[dice.between(0, last)];
      text += ' ' + std::to_string(allowed.size()) + ':' + std::to_string(tokens.size());
      if (small().ends_generation(token)) break;
      filter.accept(token);
    }
    return text;
  };
  constexpr uint32_t kThreads = 4;
  std::vector<std::string> together(kThreads);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] { together[i] = walk(i / 2); });
  for (std::thread& thread : threads)
    thread.join();
  for (uint32_t i = 0; i < kThreads; ++i)
    CHECK_EQ(together[i], walk(i / 2));
}

// lib/sampling/gbnf refuses such grammars before; nothing else may hang on them.
TEST(what_has_no_end_is_refused) {
  for (const char* source :
       {"root ::= root \"a\" | \"b\"", "root ::= e root \"a\" | \"b\"\ne ::= \"x\"?",
        "root ::= a\na ::= b \"x\"\nb ::= a \"y\" | \"z\"",
        "root ::= (\"\" | root) (\"\" | root) \"a\""}) {
    CHECK_EQ(error_of([&] {
               GrammarFilter filter = filter_of(source);
               filter.allowed();
             }),
             "ERR_GRAMMAR_INVALID");
  }
  // Only the last of a sequence may: that is a loop without a stack.
  GrammarFilter filter = filter_of("root ::= root | \"a\" root | \"\"");
  accept_text(filter, "aaa");
  CHECK(allows(filter, "a") && may_end(filter));
}

// Each by itself is small, so they would all be written out where they are named.
TEST(rules_without_text_and_chains_of_rules_are_not_free) {
  const std::string empty = "root ::= \"x\"" + repeated(" a", 20'000) +
                            "\na ::=" + repeated(" b", 1'000) + "\nb ::=" + repeated(" c", 1'000) +
                            "\nc ::= \"\"";
  const auto ends_well = [](const std::string& source) {
    const std::string outcome = error_of([&] {
      GrammarFilter filter = filter_of(source);
      CHECK(allows(filter, "x") && !may_end(filter));
    });
    return outcome == "ERR_GRAMMAR_INVALID" || outcome == "none";
  };
  CHECK(ends_well(empty));

  std::string chain = "root ::=";
  constexpr int kRules = 40'000;
  for (int i = 1; i <= kRules; ++i)
    chain += " r" + std::to_string(i);
  chain += " \"z\"\n";
  for (int i = 1; i < kRules; ++i)
    chain += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
  chain += "r" + std::to_string(kRules) + " ::= \"x\"";
  CHECK(ends_well(chain));
}

// What follows behind two rules is alike far down: it is brought together, or refused.
TEST(two_readings_that_meet_late_do_not_overflow_the_stack) {
  const std::string outcome = error_of([&] {
    GrammarFilter filter =
        filter_of("root ::= s \"1\" | \"(\" s \"2\"\ns ::= \"((\" s \"))\" | \"x\" | \"(x\"");
    accept_text(filter, repeated("(", 8'000) + "x");
    CHECK(allows(filter, ")"));
  });
  CHECK(outcome == "ERR_GRAMMAR_INVALID" || outcome == "none");
}

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: cria-grammar-matcher-test MODEL LLAMA_CPP [tests]\n");
    return 2;
  }
  g_llama_cpp = argv[2];
  const std::string large_file = (g_llama_cpp / "models" / "ggml-vocab-llama-bpe.gguf").string();
  if (!grammars::load(argv[1], large_file.c_str())) {
    std::fprintf(stderr, "A vocabulary cannot be read.\n");
    return 2;
  }
  const int status = harness::run(argc - 2, argv + 2);
  grammars::unload();
  return status;
}
