// cria::GrammarFilter against llama.cpp's grammar asked about every single token.
//
//   cria-grammar-filter-test MODEL VOCABULARY [tests…]      two GGUF files; of the second, which
//                                                           may be large, only the vocabulary

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/model/error.h"
#include "core/model/token_tree.h"
#include "core/model/utf8.h"
#include "core/model/vocabulary.h"
#include "core/sampling/grammar_filter.h"
#include "harness.h"
#include "llama.h"

using cria::GrammarFilter;
using cria::Tokens;
using cria::Vocabulary;
namespace step = cria::step;

namespace {

llama_model* g_models[2] = {};  // for as long as main() runs

const Vocabulary& small() {
  static const Vocabulary vocabulary(llama_model_get_vocab(g_models[0]));
  return vocabulary;
}

const Vocabulary& large() {
  static const Vocabulary vocabulary(llama_model_get_vocab(g_models[1]));
  return vocabulary;
}

std::string error_code(const std::function<void()>& action) {
  try {
    action();
  } catch (const cria::Error& error) {
    return error.code();
  }
  return "none";
}

step::Grammar grammar_of(const std::string& source) {
  step::Grammar grammar;
  grammar.source = source;
  grammar.root = "root";
  const char* const token = "<|start_header_id|>";
  if (source.find(token) != std::string::npos) grammar.tokens.emplace_back(token);
  return grammar;
}

step::Grammar lazy(const std::string& source, const std::vector<std::string>& patterns,
                   const Tokens& tokens = {}) {
  step::Grammar grammar = grammar_of(source);
  grammar.lazy = true;
  grammar.trigger_patterns = patterns;
  grammar.trigger_tokens = tokens;
  return grammar;
}

std::string piece_of(const Vocabulary& vocabulary, llama_token token) {
  std::string bytes;
  vocabulary.append_piece(token, true, bytes);
  return bytes;
}

// Whether the bytes so far can be text and go on.
bool is_text(const std::string& bytes) {
  const std::string whole = bytes.substr(0, bytes.size() - cria::utf8::unfinished_tail(bytes));
  return cria::utf8::repair(whole) == whole;
}

// What llama.cpp's own grammar says of all tokens at once, but for those that make no text.
Tokens allowed_by_all(const Vocabulary& vocabulary, const std::string& source,
                      llama_sampler* oracle, const std::string& text) {
  std::vector<llama_token_data> all;
  for (llama_token token = 0; token < vocabulary.size(); ++token)
    all.push_back({token, 1.0F, 0.0F});
  llama_token_data_array array{all.data(), all.size(), -1, false};
  llama_sampler_apply(oracle, &array);
  Tokens allowed;
  const std::string open = text.substr(text.size() - cria::utf8::unfinished_tail(text));
  for (const llama_token_data& candidate : all) {
    if (!std::isfinite(candidate.logit)) continue;
    const std::string piece = piece_of(vocabulary, candidate.id);
    const bool named = source.find("<[" + std::to_string(candidate.id) + "]>") != std::string::npos;
    const bool free = named || vocabulary.ends_generation(candidate.id);
    if (free || is_text(open + piece.substr(0, piece.find('\0')))) {
      allowed.push_back(candidate.id);
    }
  }
  return allowed;
}

using Oracle = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

// Goes on at random, and compares at every state; says how many it saw.
int compare(const Vocabulary& vocabulary, const std::string& source, uint32_t seed, int states) {
  const step::Grammar grammar = grammar_of(source);
  GrammarFilter filter(vocabulary, grammar);
  const Oracle oracle(
      llama_sampler_init_grammar(vocabulary.handle(), source.c_str(), grammar.root.c_str()),
      llama_sampler_free);
  std::mt19937 random(seed);
  std::string text;
  for (int state = 0; state < states; ++state) {
    const Tokens expected = allowed_by_all(vocabulary, source, oracle.get(), text);
    const Tokens& got = filter.allowed();
    if (got != expected) {
      Tokens differing;
      std::set_symmetric_difference(got.begin(), got.end(), expected.begin(), expected.end(),
                                    std::back_inserter(differing));
      harness::fail(__FILE__, __LINE__,
                    source + " after " + harness::show(text) + " allows " +
                        std::to_string(expected.size()) + ", got " + std::to_string(got.size()) +
                        "; differs in " + harness::show(piece_of(vocabulary, differing[0])));
    }
    // Bytes beyond ASCII and what is left within a character are rare: prefer them at times.
    Tokens choices;
    for (const llama_token token : expected) {
      if (vocabulary.ends_generation(token)) continue;
      const std::string piece = piece_of(vocabulary, token);
      const bool rare = static_cast<unsigned char>(piece.back()) >= 0x80;
      if (rare || state % 3 != 1) choices.push_back(token);
    }
    if (choices.empty()) {
      for (const llama_token token : expected) {
        if (!vocabulary.ends_generation(token)) choices.push_back(token);
      }
    }
    if (choices.empty()) return state + 1;
    const llama_token token = choices[random() % choices.size()];
    text += piece_of(vocabulary, token);
    try {
      // llama.cpp allows a token that a rule such as ("a" !<[5]>) cannot go on with.
      llama_sampler_accept(oracle.get(), token);
    } catch (const std::exception&) {
      CHECK_EQ(error_code([&] { filter.accept(token); }), "ERR_GRAMMAR_INVALID");
      return state + 1;
    }
    filter.accept(token);
  }
  return states;
}

const char* const kJson = R"(value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" (member ("," member)*)? "}"
member ::= string ":" value
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" char* "\""
char ::= [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4})
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]+)? ([eE] [-+]? [0-9]{1,3})?
)";

std::vector<std::string> grammars() {
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
      R"(root ::= "")",
  };
}

}  // namespace

TEST(allowed_is_what_the_filter_leaves_of_all_tokens) {
  int states = 0;
  for (const std::string& source : grammars()) {
    for (uint32_t seed = 0; seed < 30; ++seed)
      states += compare(small(), source, seed, 30);
  }
  CHECK(states > 5'000);
}

TEST(allowed_is_what_the_filter_leaves_of_128k_tokens) {
  int states = 0;
  for (const std::string& source : grammars()) {
    states += compare(large(), source, 1, 10);
  }
  CHECK(states > 100);
}

TEST(every_token_with_bytes_is_in_the_tree_once) {
  for (const Vocabulary* vocabulary : {&small(), &large()}) {
    const cria::TokenTree& tree = vocabulary->tree();
    std::map<llama_token, int> count;
    for (const auto* tokens : {&tree.tokens(), &tree.ending(), &tree.continuing()}) {
      for (const llama_token token : *tokens)
        ++count[token];
    }
    size_t children = tree.roots().end - tree.roots().begin;
    for (const cria::TokenTree::Node& node : tree.nodes()) {
      children += node.children.end - node.children.begin;
      const std::string prefix = piece_of(*vocabulary, tree.tokens()[node.tokens.begin]);
      for (uint32_t child = node.children.begin; child < node.children.end; ++child) {
        const std::string piece =
            piece_of(*vocabulary, tree.tokens()[tree.nodes()[child].tokens.begin]);
        CHECK(piece.size() > prefix.size() && piece.compare(0, prefix.size(), prefix) == 0);
      }
    }
    CHECK_EQ(children, tree.nodes().size());
    for (llama_token token = 0; token < vocabulary->size(); ++token) {
      const std::string piece = piece_of(*vocabulary, token);
      const bool inside = !piece.empty() && (piece[0] & 0xC0) == 0x80;
      const bool text = inside || is_text(piece.substr(0, piece.find('\0')));
      const bool known =
          vocabulary->ends_generation(token) || (!piece.empty() && piece[0] != 0 && text);
      CHECK_EQ(count[token], known ? 1 : 0);
    }
  }
}

TEST(the_tree_is_made_once_for_all_threads) {
  const Vocabulary vocabulary(llama_model_get_vocab(g_models[0]));
  std::vector<const cria::TokenTree*> seen(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < seen.size(); ++i)
    threads.emplace_back([&, i] { seen[i] = &vocabulary.tree(); });
  for (std::thread& thread : threads)
    thread.join();
  for (const cria::TokenTree* tree : seen)
    CHECK(tree == seen[0]);
}

TEST(a_copy_goes_its_own_way) {
  GrammarFilter filter(small(), grammar_of(R"(root ::= "ab" | "cd")"));
  const llama_token a = small().tokenize("a", false)[0];
  const llama_token c = small().tokenize("c", false)[0];
  GrammarFilter copy(filter);
  filter.accept(a);
  CHECK(copy.allows(c));
  CHECK(!filter.allows(c));
}

TEST(what_is_not_allowed_is_no_death) {
  GrammarFilter filter(small(), grammar_of(R"(root ::= "a")"));
  CHECK_EQ(error_code([&] { filter.accept(small().eot()); }), "ERR_GRAMMAR_INVALID");
  CHECK_EQ(error_code([&] { filter.accept(small().tokenize("b", false)[0]); }),
           "ERR_GRAMMAR_INVALID");
}

namespace {

void accept_text(GrammarFilter& filter, const std::string& text) {
  for (const llama_token token : small().tokenize(text, false))
    filter.accept(token);
}

// What is left to come is forced: the only texts that may follow.
std::string rest(GrammarFilter& filter) {
  std::string text;
  for (int i = 0; i < 50; ++i) {
    const Tokens allowed = filter.allowed();
    if (allowed.empty() || small().ends_generation(allowed[0])) break;
    const auto shortest =
        std::min_element(allowed.begin(), allowed.end(), [](llama_token a, llama_token b) {
          return piece_of(small(), a).size() < piece_of(small(), b).size();
        });
    text += piece_of(small(), *shortest);
    filter.accept(*shortest);
  }
  return text;
}

}  // namespace

TEST(a_lazy_grammar_sleeps_until_a_token) {
  const llama_token tag = small().by_text("<|python_tag|>");
  CHECK(tag >= 0);
  const llama_token eot = small().eot();
  GrammarFilter filter(small(), lazy(R"re(root ::= "<|python_tag|>" "call()")re", {}, {tag}));
  CHECK(!filter.awake());
  CHECK(filter.allows(eot));
  CHECK_EQ(filter.allowed().size(), static_cast<size_t>(small().size()));
  accept_text(filter, "Anything at all, and (more)");
  CHECK(!filter.awake());
  GrammarFilter copy(filter);
  filter.accept(tag);
  CHECK(filter.awake());
  CHECK(!filter.allows(eot));
  CHECK_EQ(rest(filter), "call()");
  CHECK(filter.allows(eot));
  CHECK(!copy.awake());
}

TEST(a_lazy_grammar_wakes_where_a_pattern_says) {
  // From the group on, though tokens may straddle its beginning.
  for (const char* before : {"", "x", "Well: ", "some words and ", "ünïcödé \xF0\x9F\xA6\x99 "}) {
    GrammarFilter filter(small(), lazy(R"(root ::= "{\"a\":" [0-9] "}")", {R"re((\{"a))re"}));
    accept_text(filter, before);
    CHECK(!filter.awake());
    accept_text(filter, "{\"a");
    CHECK(filter.awake());
    std::string text = rest(filter);
    text[text.size() - 2] = '0';
    CHECK_EQ(text, "\":0}");
  }
}

// llama.cpp's own lazy grammar as the oracle, with patterns that are safe there.
TEST(a_lazy_grammar_is_llama_cpps) {
  const std::string source = R"(root ::= "<f>" [a-z ]* "</f>" | " <f>" [0-9]+)";
  const std::vector<std::vector<std::string>> patterns = {
      {"<f>"},     {"(<)f>"},         {"()\\<f\\>"},    {"^<f>|a"},
      {"( ?<f>)"}, {"a(<f>)", "zzz"}, {R"(^\s*(<f>))"}, {R"(^[\s\S]*?(<f>)[\s\S]*$)"}};
  const std::vector<std::string> texts = {"<f>abc", " <f>12", "aa<f>x</f>", "say <f>a b",
                                          "<",      "b <f>",  "a<f"};
  int woken = 0;
  for (const std::vector<std::string>& given : patterns) {
    std::vector<const char*> pointers;
    for (const std::string& pattern : given)
      pointers.push_back(pattern.c_str());
    for (const std::string& text : texts) {
      GrammarFilter filter(small(), lazy(source, given));
      const Oracle oracle(
          llama_sampler_init_grammar_lazy_patterns(small().handle(), source.c_str(), "root",
                                                   pointers.data(), pointers.size(), nullptr, 0),
          llama_sampler_free);
      for (const llama_token token : small().tokenize(text, false)) {
        bool refused = false;
        try {
          llama_sampler_accept(oracle.get(), token);
        } catch (const std::exception&) {
          refused = true;
        }
        CHECK_EQ(error_code([&] { filter.accept(token); }),
                 refused ? "ERR_GRAMMAR_INVALID" : "none");
        if (refused) break;
        if (!filter.awake()) {
          CHECK_EQ(filter.allowed().size(), static_cast<size_t>(small().size()));
          continue;
        }
        CHECK(filter.allowed() == allowed_by_all(small(), source, oracle.get(), ""));
        ++woken;
      }
    }
  }
  CHECK(woken > 20);
}

TEST(patterns_neither_hang_nor_overflow_the_stack) {
  std::string text;
  for (int i = 0; i < 3'000; ++i)
    text += "many words ";
  const llama_token last = small().tokenize("y", false)[0];
  const auto end_of = [&](const std::string& pattern) {
    cria::Trigger trigger({pattern});
    return error_code([&] { trigger.find(text); });
  };
  CHECK_EQ(end_of(R"(^[\s\S]*?(x)[\s\S]*$)"), "none");
  CHECK_EQ(end_of("(x)"), "none");
  CHECK_EQ(end_of(R"([\s\S]*?(x)[\s\S]*)"), "ERR_DECODE_FAILED");
  CHECK_EQ(end_of("(([a-z ]+)+)+x"), "ERR_DECODE_FAILED");
  CHECK_EQ(end_of("(((((((((((([a-z ])+)+)+)+)+)+)+)+)+)+)+)+x"), "ERR_DECODE_FAILED");
  CHECK_EQ(error_code([] { cria::Trigger({"("}); }), "ERR_INVALID_ARGUMENT");
  // Those that begin with ^ are looked for at the beginning alone, whatever their groups choose
  // from.
  const std::string beginning = text.substr(0, 2'000);
  CHECK_EQ(error_code([&] { cria::Trigger({"^(?:a|m)(([a-z ]+)+)+x"}).find(beginning); }),
           "ERR_DECODE_FAILED");
  CHECK_EQ(end_of("^(?:y|z)(([a-z ]+)+)+x"), "none");
  CHECK(cria::Trigger({"^(?:y|many) (words)"}).find(beginning) == std::optional<size_t>{5});
  CHECK(cria::Trigger({"^y|(words)"}).find(beginning) == std::optional<size_t>{5});
  CHECK(!cria::Trigger({"^(?:y|words)"}).find(beginning));
  // Across the border of what was searched before.
  const auto found = cria::Trigger({"words( )tool"}).find(text + "tool", text.size());
  CHECK_EQ(found.value_or(0), text.size() - 1);
  GrammarFilter filter(small(), lazy(R"(root ::= "x")", {R"(^[\s\S]*?(x)[\s\S]*$)"}));
  accept_text(filter, text.substr(0, 2'000));
  filter.accept(last);
  CHECK(!filter.awake());
}

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  for (int i = 0; i < 2; ++i)
    g_models[i] = argc > i + 1 ? llama_model_load_from_file(argv[i + 1], params) : nullptr;
  if (g_models[0] == nullptr || g_models[1] == nullptr) {
    std::fprintf(stderr, "usage: cria-grammar-filter-test MODEL VOCABULARY [tests]\n");
    return 2;
  }
  const int status = harness::run(argc - 2, argv + 2);
  for (llama_model* model : g_models)
    llama_model_free(model);
  return status;
}
