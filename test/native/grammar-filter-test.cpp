// cria::GrammarFilter: lazy grammars and their triggers, copies, the token tree.
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
#include "grammar_oracle.h"
#include "grammar_vocabularies.h"
#include "harness.h"
#include "llama.h"
#include "process_seams.h"

using cria::GrammarFilter;
using cria::Tokens;
using cria::Vocabulary;
using grammars::error_of;
using grammars::grammar_of;
using grammars::large;
using grammars::small;
using oracle::piece_of;
namespace step = cria::step;

namespace {

step::Grammar lazy(const std::string& source, const std::vector<std::string>& patterns,
                   const Tokens& tokens = {}) {
  step::Grammar grammar = grammar_of(source);
  grammar.lazy = true;
  grammar.trigger_patterns = patterns;
  grammar.trigger_tokens = tokens;
  return grammar;
}

}  // namespace

TEST(every_token_with_bytes_is_in_the_tree_once) {
  for (const Vocabulary* vocabulary : {&small(), &large()}) {
    const cria::TokenTree& tree = vocabulary->tree();
    const std::vector<cria::TokenTree::Node>& nodes = tree.nodes();
    std::map<llama_token, int> count;
    for (const llama_token token : tree.ending())
      ++count[token];
    std::string path;
    uint32_t ranks = 0;
    for (uint32_t i = 0; i < tree.size(); ++i) {
      const cria::TokenTree::Node node = nodes[i];
      CHECK(node.depth <= path.size() && node.end > i && node.end <= tree.size());
      path.resize(node.depth);
      path += static_cast<char>(node.byte);
      for (uint32_t rank = node.tokens; rank < nodes[i + 1].tokens; ++rank, ++ranks) {
        const std::string piece = piece_of(*vocabulary, tree.tokens()[rank]);
        CHECK_EQ(piece.substr(0, piece.find('\0')), path);
        ++count[tree.tokens()[rank]];
      }
      // Those below it, and no others, are deeper.
      CHECK(node.end == tree.size() || nodes[node.end].depth <= node.depth);
      CHECK(node.end == i + 1 || nodes[i + 1].depth == node.depth + 1);
    }
    CHECK_EQ(ranks, tree.tokens().size());
    for (llama_token token = 0; token < vocabulary->size(); ++token) {
      const std::string piece = piece_of(*vocabulary, token);
      const bool known = vocabulary->ends_generation(token) || (!piece.empty() && piece[0] != 0);
      CHECK_EQ(count[token], known ? 1 : 0);
    }
  }
}

TEST(the_tree_is_made_once_for_all_threads) {
  const Vocabulary vocabulary(llama_model_get_vocab(grammars::models[0]));
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
  CHECK_EQ(error_of([&] { filter.accept(small().eot()); }), "ERR_GRAMMAR_INVALID");
  CHECK_EQ(error_of([&] { filter.accept(small().tokenize("b", false)[0]); }),
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

// What a grammar forces at its beginning, as text.
std::string forced_text(const Vocabulary& vocabulary, const step::Grammar& grammar, int32_t most) {
  GrammarFilter filter(vocabulary, grammar);
  Tokens tokens;
  filter.forced(most, tokens);
  CHECK(tokens.size() <= static_cast<size_t>(most));
  std::string text;
  for (const llama_token token : tokens)
    text += piece_of(vocabulary, token);
  return text;
}

TEST(what_is_forced_is_all_text_without_a_choice) {
  for (const Vocabulary* vocabulary : {&small(), &large()}) {
    const auto text = [&](const char* source) {
      return forced_text(*vocabulary, grammar_of(source), 100);
    };
    CHECK_EQ(text(R"(root ::= "{\"name\":\"" [a-z]+ "\"}")"), "{\"name\":\"");
    CHECK_EQ(text(R"(root ::= "gua" ("naco" | "rana") "!")"), "gua");
    // A fork where one side alone is a token.
    CHECK_EQ(text(R"(root ::= "in" "t"? "\"")"), "in");
    CHECK_EQ(text(R"(root ::= "get" ("Name" | "\"") )"), "get");
    CHECK_EQ(text(R"(root ::= "the whole text")"), "the whole text");
    CHECK_EQ(text(R"(root ::= "may end here"?)"), "");
    CHECK_EQ(text(R"(root ::= [a-z]+)"), "");
    CHECK_EQ(text("root ::= \"l\u00e4nge\""), "l\u00e4nge");
    CHECK_EQ(forced_text(*vocabulary, grammar_of(R"(root ::= "the whole text")"), 0), "");
    CHECK_EQ(forced_text(*vocabulary, lazy(R"(root ::= "asleep")", {"never"}), 100), "");
  }
  // What spells a control token is text all the same.
  const std::string control = "<|eot_id|>";
  CHECK_EQ(forced_text(small(), grammar_of("root ::= \"" + control + "\""), 100), control);
  Tokens spelled;
  GrammarFilter(small(), grammar_of("root ::= \"" + control + "\"")).forced(100, spelled);
  CHECK(spelled.size() > 1);
  // As the tokenizer cuts it.
  GrammarFilter filter(large(), grammar_of(R"(root ::= " description")"));
  Tokens tokens;
  filter.forced(100, tokens);
  CHECK_EQ(tokens.size(), size_t{1});
  CHECK(filter.awake());
}

// What comes now may be clear where what comes then is not.
TEST(looking_too_far_ahead_is_refused_and_nothing_else) {
  GrammarFilter filter(small(), grammar_of("root ::= \"ab\" left\nleft ::= left \"b\" | \"c\""));
  Tokens tokens;
  for (int i = 0; i < 2; ++i)
    CHECK_EQ(error_of([&] { filter.forced(100, tokens); }), "ERR_GRAMMAR_INVALID");
  CHECK_EQ(tokens.size(), size_t{0});
  CHECK(filter.allows(small().tokenize("a", false)[0]));
}

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

TEST(nothing_wakes_a_lazy_grammar_within_thoughts) {
  const std::string call = R"(root ::= "<f>" [0-9] "</f>")";
  for (const char* pattern : {"<f>", "(<)f>", R"(^\s*(<f>))", R"(^[\s\S]*?(<f>))"}) {
    GrammarFilter filter(small(), lazy(call, {pattern}));
    filter.thinks();
    accept_text(filter, "Should I say <f>x? <f>");
    CHECK(!filter.awake());
    GrammarFilter copy(filter);
    filter.answers(0);
    CHECK(!filter.awake());
    accept_text(filter, "<f>");
    CHECK(filter.awake());
    CHECK_EQ(rest(filter).substr(1), "</f>");
    // Where the call itself ends them, it has been read when they are known to be over.
    copy.answers(3);
    CHECK(copy.awake());
    CHECK_EQ(rest(copy).substr(1), "</f>");
  }
  // Thoughts that are longer than what patterns are looked for in.
  GrammarFilter filter(small(), lazy(call, {R"(^\s*(<f>))"}));
  filter.thinks();
  for (size_t length = 0; length < cria::Trigger::kWindow; length += 1024)
    accept_text(filter, std::string(1024, 'x'));
  filter.answers(0);
  accept_text(filter, " <f>");
  CHECK(filter.awake());
  // A token, too.
  const llama_token tag = small().by_text("<|python_tag|>");
  GrammarFilter tagged(small(), lazy(R"re(root ::= "<|python_tag|>" "call()")re", {}, {tag}));
  tagged.thinks();
  tagged.accept(tag);
  CHECK(!tagged.awake());
  tagged.answers(0);
  tagged.accept(tag);
  CHECK(tagged.awake());
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
      const oracle::Sampler sampler(
          llama_sampler_init_grammar_lazy_patterns(small().handle(), source.c_str(), "root",
                                                   pointers.data(), pointers.size(), nullptr, 0),
          llama_sampler_free);
      for (const llama_token token : small().tokenize(text, false)) {
        bool refused = false;
        try {
          llama_sampler_accept(sampler.get(), token);
        } catch (const std::exception&) {
          refused = true;
        }
        CHECK_EQ(error_of([&] { filter.accept(token); }), refused ? "ERR_GRAMMAR_INVALID" : "none");
        if (refused) break;
        if (!filter.awake()) {
          CHECK_EQ(filter.allowed().size(), static_cast<size_t>(small().size()));
          continue;
        }
        CHECK(filter.allowed() == oracle::allowed_by_all(small(), sampler.get(), ""));
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
    return error_of([&] { trigger.find(text); });
  };
  CHECK_EQ(end_of(R"(^[\s\S]*?(x)[\s\S]*$)"), "none");
  CHECK_EQ(end_of("(x)"), "none");
  CHECK_EQ(end_of(R"([\s\S]*?(x)[\s\S]*)"), "ERR_DECODE_FAILED");
  CHECK_EQ(end_of("(([a-z ]+)+)+x"), "ERR_DECODE_FAILED");
  CHECK_EQ(end_of("(((((((((((([a-z ])+)+)+)+)+)+)+)+)+)+)+)+x"), "ERR_DECODE_FAILED");
  CHECK_EQ(error_of([] { cria::Trigger({"("}); }), "ERR_INVALID_ARGUMENT");
  // Those that begin with ^ are looked for at the beginning alone, whatever their groups choose
  // from.
  const std::string beginning = text.substr(0, 2'000);
  CHECK_EQ(error_of([&] { cria::Trigger({"^(?:a|m)(([a-z ]+)+)+x"}).find(beginning); }),
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

TEST(tokens_of_a_long_answer_start_no_thread) {
  GrammarFilter filter(small(), lazy(R"(root ::= "{" "x")", {R"(^[ \n\t]*(\{"name"))"}));
  const Tokens answer = small().tokenize(std::string(20'000, 'x'), false);
  seams::starts_left = 0;
  const std::string failed = error_of([&] {
    for (const llama_token token : answer)
      filter.accept(token);
  });
  seams::starts_left = 1 << 30;
  CHECK_EQ(failed, "none");
  CHECK(!filter.awake());
}

int main(int argc, char** argv) {
  if (argc < 3 || !grammars::load(argv[1], argv[2])) {
    std::fprintf(stderr, "usage: cria-grammar-filter-test MODEL VOCABULARY [tests]\n");
    return 2;
  }
  const int status = harness::run(argc - 2, argv + 2);
  grammars::unload();
  return status;
}
