// cria::Sampler against the same steps in a plain llama.cpp chain, on made-up logits.
//
//   cria-sampler-test MODEL [tests…]      any GGUF file with a vocabulary

#include "core/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/model/vocabulary.h"
#include "harness.h"
#include "llama.h"
#include "plain_chain.h"

using cria::Sampler;
using cria::SamplerStep;
namespace step = cria::step;

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

llama_model* g_model = nullptr;  // for as long as main() runs

const cria::Vocabulary& vocabulary() {
  static const cria::Vocabulary all(llama_model_get_vocab(g_model));
  return all;
}

using Logits = std::vector<float>;

Logits random_logits(std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, 3.0F);
  Logits logits(static_cast<size_t>(vocabulary().size()));
  for (float& logit : logits)
    logit = normal(random);
  return logits;
}

// Rows that make the steps' ways differ: smooth ones, ones with many equals, ones that nearly
// decide.
Logits row(std::mt19937& random, int round) {
  Logits logits = random_logits(random);
  if (round % 5 == 3) {
    for (float& logit : logits)
      logit = std::round(logit * 2.0F);
  }
  if (round % 5 == 4) logits[random() % logits.size()] += 12.0F;
  return logits;
}

void check_same(const std::vector<SamplerStep>& steps, uint32_t seed, int rounds = 60) {
  const cria::Tokens prompt{1, 2, 3, 3, 3, 5, 8, 1, 2, 3};
  Sampler sampler(vocabulary(), steps, seed);
  sampler.accept_prompt(prompt);
  const plain::Chain chain = plain::make_chain(vocabulary().handle(), steps, seed);
  plain::accept_prompt(chain.get(), prompt);
  std::mt19937 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const Logits logits = row(random, round);
    const llama_token token = sampler.sample(logits.data());
    CHECK_EQ(token, plain::sample(chain.get(), logits));
    if (vocabulary().ends_generation(token)) break;  // beyond it, a grammar allows nothing
  }
}

std::string error_code(const std::function<void()>& action) {
  try {
    action();
  } catch (const cria::Error& error) {
    return error.code();
  }
  return "none";
}

llama_token best_of(const Logits& logits) {
  return static_cast<llama_token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void check_all_seeds(const std::vector<SamplerStep>& steps) {
  for (const uint32_t seed : {0U, 42U, 4'294'967'294U})
    check_same(steps, seed);
}

// The text that made-up logits lead to.
std::string follow(Sampler& sampler, uint32_t seed) {
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < 8; ++i) {
    const llama_token token = sampler.sample(random_logits(random).data());
    if (vocabulary().ends_generation(token)) break;
    vocabulary().append_piece(token, false, text);
  }
  return text;
}

const step::Dist kDist;
const step::Greedy kGreedy;
const step::Penalties kPenalties{64, 1.3F, 0.4F, 0.2F};
const step::Dry kDry{0.8F, 1.75F, 2, 64, {"\n", ":", "\"", "*"}};
const step::LogitBias kBias{{{3, 5.0F}, {7, -2.0F}, {9, kMinusInfinity}}};
const step::Grammar kYes{"root ::= (\"yes\" | \"no\") \"!\"", "root", {}};
const step::Grammar kWords{"root ::= ([a-z]+ \" \"){3} [A-Z]+", "root", {}};
const step::Grammar kAny{"root ::= [\\x01-wyz{|}~]*", "root", {}};

}  // namespace

TEST(each_step_alone) {
  for (const SamplerStep& step :
       std::vector<SamplerStep>{step::Temperature{0.7F},
                                step::Temperature{1.8F},
                                step::Temperature{0.0F},
                                step::DynamicTemperature{1.0F, 0.5F, 1.5F},
                                step::DynamicTemperature{0.8F, 0.0F, 1.0F},
                                step::TopK{40},
                                step::TopK{1},
                                step::TopK{200},
                                step::TopK{100'000},
                                step::TopK{0},
                                step::TopP{0.9F, 1},
                                step::TopP{0.0F, 5},
                                step::TopP{1.0F, 1},
                                step::MinP{0.05F, 1},
                                step::MinP{0.9F, 10},
                                step::TypicalP{0.5F, 1},
                                step::TypicalP{0.9F, 20},
                                step::TopNSigma{1.5F},
                                step::Xtc{1.0F, 0.02F, 1},
                                step::Xtc{0.5F, 0.1F, 1},
                                kPenalties,
                                kDry,
                                kBias}) {
    check_all_seeds({step, kDist});
    check_all_seeds({step, kGreedy});
  }
  check_all_seeds({kGreedy});
  check_all_seeds({kDist});
  check_all_seeds({step::Mirostat{1, 5.0F, 0.1F, 100}});
  check_all_seeds({step::Mirostat{2, 5.0F, 0.1F, 100}});
  check_all_seeds({step::AdaptiveP{0.3F, 0.9F}});
}

TEST(the_usual_chains) {
  const step::TopK k{40};
  const step::TopP p{0.95F, 1};
  const step::MinP min{0.05F, 1};
  const step::Temperature t{0.8F};
  check_all_seeds({k, p, min, t, kDist});
  check_all_seeds({kPenalties, k, p, min, t, kDist});
  check_all_seeds({kBias, kPenalties, kDry, k, step::TypicalP{0.7F, 1}, p, min,
                   step::Xtc{0.5F, 0.1F, 1}, t, kDist});
  check_all_seeds({kBias, kPenalties, kDry, step::TopNSigma{2.0F}, k, p, min, t, kDist});
  check_all_seeds({t, step::Mirostat{1, 5.0F, 0.1F, 100}});
  check_all_seeds({t, step::Mirostat{2, 3.0F, 0.3F, 100}});
  check_all_seeds({min, step::AdaptiveP{0.2F, 0.95F}});
}

TEST(chains_in_odd_orders) {
  const step::Temperature hot{2.5F};
  const step::Temperature cold{0.3F};
  check_all_seeds({hot, step::TopK{7}, kPenalties, kDist});
  check_all_seeds({hot, kBias, cold, kPenalties, step::TopK{30}, step::MinP{0.2F, 3}, kDist});
  check_all_seeds({step::MinP{0.01F, 1}, step::TopK{9}, kBias, kDist});
  check_all_seeds({step::TopK{500}, step::TopK{50}, step::TopK{5}, kGreedy});
  check_all_seeds({kPenalties, kPenalties, kGreedy});
  check_all_seeds({kDry, cold, kGreedy});
  check_all_seeds({step::Xtc{1.0F, 0.01F, 1}, step::TopK{20}, hot, kDist});
  check_all_seeds({step::TopK{60}, step::DynamicTemperature{1.0F, 0.9F, 2.0F}, kDry, kDist});
  check_all_seeds({step::TypicalP{0.8F, 1}, step::TopP{0.7F, 1}, kGreedy});
  check_all_seeds({step::TopK{0}, step::TopP{1.0F, 1}, kPenalties, step::TopK{3}, kDist});
  check_all_seeds({step::TopK{15}, step::TopP{0.9F, 1}, step::Infill{}, kDist});
  check_all_seeds({cold, step::TopK{200}, step::Infill{}, hot, kGreedy});
  check_all_seeds({step::TopK{12}, step::Mirostat{2, 2.0F, 0.2F, 100}});
  check_all_seeds({kBias, step::TopK{25}, step::Xtc{0.5F, 0.05F, 1}, step::AdaptiveP{0.4F, 0.5F}});
}

TEST(min_p_first) {
  const step::Temperature t{0.7F};
  for (const float p : {0.000'000'1F, 0.001F, 0.1F, 0.9F, 1.0F}) {
    for (const size_t keep : {1U, 5U, 60U}) {
      check_all_seeds({step::MinP{p, keep}, t, kDist});
      check_all_seeds({kBias, kPenalties, t, kDry, step::MinP{p, keep}, kDist});
      check_all_seeds({kWords, step::MinP{p, keep}, t, kDist});
      check_all_seeds({kPenalties, kYes, step::MinP{p, keep}, step::TopP{0.9F, 1}, kDist});
    }
  }
}

TEST(a_grammar_in_any_place) {
  const step::TopK k{40};
  for (const step::Grammar& grammar : {kYes, kWords, kAny}) {
    check_all_seeds({grammar, kGreedy});
    check_all_seeds({grammar, kDist});
    check_all_seeds({grammar, k, step::TopP{0.95F, 1}, step::Temperature{0.8F}, kDist});
    check_all_seeds({kBias, kPenalties, grammar, kDry, kGreedy});
    check_all_seeds({step::Temperature{1.7F}, grammar, kPenalties, k, step::MinP{0.1F, 1}, kDist});
    check_all_seeds({grammar, step::Xtc{0.5F, 0.1F, 1}, step::Temperature{0.8F}, kDist});
    check_all_seeds({grammar, step::MinP{0.05F, 1}, step::AdaptiveP{0.3F, 0.9F}});
  }
}

// Some steps go by how many candidates there are, those of no probability included.
TEST(a_grammar_that_leaves_fewer_than_top_k_keeps) {
  for (const SamplerStep& step :
       std::vector<SamplerStep>{step::TypicalP{0.5F, 1}, step::DynamicTemperature{1.0F, 0.8F, 1.0F},
                                step::Xtc{1.0F, 0.2F, 30}, step::Xtc{0.5F, 0.1F, 1},
                                step::TopNSigma{1.0F}, kPenalties}) {
    check_all_seeds({kYes, step::TopK{40}, step, kDist});
    check_all_seeds({kWords, step::TopK{100}, step, kDist});
  }
  check_all_seeds({kYes, step::TopK{40}, step::Mirostat{2, 5.0F, 0.1F, 100}});
}

TEST(a_grammar_behind_a_cut_forbids_what_is_left) {
  check_all_seeds({step::TopK{100'000}, kWords, kGreedy});
  check_all_seeds({step::Temperature{3.0F}, step::MinP{0.000'001F, 1}, kWords, kDist});
  for (uint32_t seed = 0; seed < 10; ++seed) {  // llama.cpp would compute with infinity here
    Sampler sampler(vocabulary(), {step::TopK{100'000}, kYes, kDist}, seed);
    const std::string text = follow(sampler, seed);
    CHECK(text == "yes!" || text == "no!");
  }
  std::mt19937 random(6);
  const Logits logits = random_logits(random);
  Logits without = logits;
  without[static_cast<size_t>(best_of(logits))] += 50.0F;
  const step::Grammar other{"root ::= \"never such a text\"", "root", {}};
  Sampler sampler(vocabulary(), {step::TopK{1}, other, kDist}, 0);
  CHECK_EQ(error_code([&] { sampler.sample(without.data()); }), "ERR_DECODE_FAILED");
}

TEST(a_copy_goes_on_alike_and_alone) {
  const std::vector<std::vector<SamplerStep>> chains{
      {kPenalties, kDry, step::TopK{40}, step::Xtc{0.5F, 0.05F, 1}, kDist},
      {step::Mirostat{1, 5.0F, 0.1F, 100}},
      {step::Mirostat{2, 5.0F, 0.1F, 100}},
      {step::TopK{50}, step::AdaptiveP{0.3F, 0.9F}},
      {step::MinP{0.8F, 1}, step::AdaptiveP{0.9F, 0.5F}},
      {kAny, step::TopK{40}, kDist}};
  for (const auto& steps : chains) {
    Sampler sampler(vocabulary(), steps, 11);
    sampler.accept_prompt({1, 2, 3, 1, 2});
    std::mt19937 random(7);
    std::vector<Logits> rows;
    for (int round = 0; round < 40; ++round)
      rows.push_back(row(random, round));
    for (Logits& logits : rows) {  // for kAny: nothing ends it
      for (llama_token token = 0; token < vocabulary().size(); ++token) {
        if (vocabulary().ends_generation(token)) logits[static_cast<size_t>(token)] = -100.0F;
      }
    }
    for (size_t i = 0; i < 20; ++i)
      sampler.sample(rows[i].data());
    Sampler copy(sampler);
    std::vector<llama_token> tokens;
    for (size_t i = 20; i < 40; ++i)
      tokens.push_back(copy.sample(rows[i].data()));
    for (size_t i = 20; i < 40; ++i)
      CHECK_EQ(sampler.sample(rows[i].data()), tokens[i - 20]);
  }
}

TEST(a_token_that_others_chose_counts) {
  const step::Penalties severe{16, 1.0F, 0.0F, 100.0F};
  std::mt19937 random(8);
  const Logits logits = random_logits(random);
  Sampler sampler(vocabulary(), {severe, kGreedy}, 0);
  sampler.accept(best_of(logits));
  CHECK(sampler.sample(logits.data()) != best_of(logits));
  Sampler constrained(vocabulary(), {kYes, kGreedy}, 0);
  constrained.accept(best_of(logits));  // no business of the grammar's
  CHECK(vocabulary().contains(constrained.sample(logits.data())));
}

TEST(infill_is_kept_from_hanging) {
  for (const std::vector<SamplerStep>& steps :
       std::vector<std::vector<SamplerStep>>{{step::Infill{}, kDist},
                                             {step::TopK{0}, step::Infill{}, kDist},
                                             {step::TopK{5'000}, step::Infill{}, kDist},
                                             {step::Infill{}, step::TopK{5}, kDist}}) {
    CHECK_EQ(error_code([&] { Sampler(vocabulary(), steps, 0); }), "ERR_INVALID_ARGUMENT");
  }
}

TEST(a_bias_decides) {
  std::mt19937 random(4);
  const Logits logits = random_logits(random);
  Sampler up(vocabulary(), {step::LogitBias{{{17, 1'000.0F}}}, step::Greedy{}}, 0);
  CHECK_EQ(up.sample(logits.data()), 17);
  const llama_token best = best_of(logits);
  Sampler down(vocabulary(), {step::LogitBias{{{best, kMinusInfinity}}}, step::Greedy{}}, 0);
  CHECK(down.sample(logits.data()) != best);
  CHECK_EQ(error_code([] {
             Sampler(vocabulary(), {step::LogitBias{{{vocabulary().size(), 1.0F}}}}, 0);
           }),
           "ERR_INVALID_ARGUMENT");
}

TEST(nothing_to_choose_is_an_error) {
  const auto size = static_cast<size_t>(vocabulary().size());
  std::vector<Logits> rows{Logits(size, kNaN), Logits(size, kMinusInfinity), Logits(size, 0.0F),
                           Logits(size, 0.0F)};
  rows[2][5] = kNaN;
  rows[3][size - 1] = -kMinusInfinity;
  for (const std::vector<SamplerStep>& steps :
       std::vector<std::vector<SamplerStep>>{{kGreedy},
                                             {step::TopK{40}, kDist},
                                             {kDist},
                                             {kPenalties, kGreedy},
                                             {kYes, kGreedy},
                                             {step::Mirostat{1, 5.0F, 0.1F, 100}},
                                             {step::AdaptiveP{0.5F, 0.9F}}}) {
    Sampler sampler(vocabulary(), steps, 0);
    for (const Logits& logits : rows)
      CHECK_EQ(error_code([&] { sampler.sample(logits.data()); }), "ERR_DECODE_FAILED");
  }
}

TEST(a_bias_against_everything_is_an_error) {
  step::LogitBias all;
  for (llama_token token = 0; token < vocabulary().size(); ++token)
    all.biases.push_back({token, kMinusInfinity});
  const Logits logits(static_cast<size_t>(vocabulary().size()), 1.0F);
  for (const std::vector<SamplerStep>& rest : std::vector<std::vector<SamplerStep>>{
           {kGreedy},
           {kDist},
           {step::TopK{40}, kDist},
           {step::TypicalP{0.5F, 1}, kDist},
           {step::TopNSigma{1.0F}, step::Xtc{1.0F, 0.1F, 1}, kDist},
           {step::TopK{20}, step::Infill{}, kDist},
           {step::Mirostat{1, 5.0F, 0.1F, 100}},
           {step::Mirostat{2, 5.0F, 0.1F, 100}},
           {step::AdaptiveP{0.5F, 0.9F}}}) {
    std::vector<SamplerStep> steps{all};
    steps.insert(steps.end(), rest.begin(), rest.end());
    Sampler sampler(vocabulary(), steps, 0);
    const std::string code = error_code([&] { sampler.sample(logits.data()); });
    CHECK_EQ(code, "ERR_DECODE_FAILED");
  }
}

TEST(a_grammar_is_followed_to_its_end) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Sampler sampler(vocabulary(), {kYes, kDist}, seed);
    const std::string text = follow(sampler, seed);
    CHECK(text == "yes!" || text == "no!");
  }
}

// What is no GBNF at all is refused in TypeScript: llama.cpp would print it on stderr.
TEST(a_grammar_that_llama_cpp_refuses_is_an_error) {
  for (const char* source : {"root ::= root \"a\" | \"b\"", "other ::= \"x\""}) {
    CHECK_EQ(error_code([&] {
               Sampler(vocabulary(), {step::Grammar{source, "root", {}}}, 0);
             }),
             "ERR_GRAMMAR_INVALID");
  }
}

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  g_model = argc > 1 ? llama_model_load_from_file(argv[1], params) : nullptr;
  if (g_model == nullptr) {
    std::fprintf(stderr, "usage: cria-sampler-test MODEL [tests]\n");
    return 2;
  }
  const int status = harness::run(argc - 1, argv + 1);
  llama_model_free(g_model);
  return status;
}
