// cria::Sampler against the same steps in a plain llama.cpp chain, on made-up logits.
//
//   cria-sampler-test MODEL [tests…]      any GGUF file with a vocabulary

#include "core/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/vocabulary.h"
#include "harness.h"
#include "llama.h"

using cria::LogitScan;
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

using Chain = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

Chain make_chain(const std::vector<llama_sampler*>& steps) {
  Chain chain(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free);
  for (llama_sampler* step : steps)
    llama_sampler_chain_add(chain.get(), step);
  return chain;
}

// As llama_sampler_sample() does it, but for logits that no context gave.
llama_token sample(llama_sampler* chain, const Logits& logits) {
  std::vector<llama_token_data> candidates;
  for (size_t i = 0; i < logits.size(); ++i) {
    candidates.push_back({static_cast<llama_token>(i), logits[i], 0.0F});
  }
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(chain, &array);
  const llama_token token = array.data[array.selected].id;
  llama_sampler_accept(chain, token);
  return token;
}

void check_same(const std::vector<SamplerStep>& steps, const std::vector<llama_sampler*>& plain,
                uint32_t seed, const cria::Tokens& prompt = {}) {
  Sampler sampler(vocabulary(), steps, seed);
  sampler.accept_prompt(prompt);
  const Chain chain = make_chain(plain);
  for (const llama_token token : prompt)
    llama_sampler_accept(chain.get(), token);
  std::mt19937 random(seed);
  for (int i = 0; i < 100; ++i) {
    const Logits logits = random_logits(random);
    CHECK_EQ(sampler.sample(logits.data()), sample(chain.get(), logits));
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

llama_token naive_argmax(const Logits& logits) {
  llama_token best = LLAMA_TOKEN_NULL;
  float highest = kMinusInfinity;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > highest) {
      highest = logits[i];
      best = static_cast<llama_token>(i);
    }
  }
  return best;
}

llama_token argmax_of(const Logits& logits) {
  LogitScan scan;
  scan.read(logits.data(), static_cast<int32_t>(logits.size()));
  return scan.usable() ? scan.argmax() : LLAMA_TOKEN_NULL;
}

}  // namespace

TEST(argmax_of_any_length) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (size_t length = 0; length < 1'200; ++length) {
    Logits logits(length);
    for (float& logit : logits)
      logit = normal(random);
    CHECK_EQ(argmax_of(logits), naive_argmax(logits));
  }
}

TEST(argmax_takes_the_first_of_equals) {
  std::mt19937 random(2);
  for (int round = 0; round < 2'000; ++round) {
    Logits logits(1 + random() % 2'000);
    for (float& logit : logits)
      logit = static_cast<float>(random() % 3);
    CHECK_EQ(argmax_of(logits), naive_argmax(logits));
  }
}

TEST(argmax_passes_over_what_is_no_number) {
  CHECK_EQ(argmax_of({}), LLAMA_TOKEN_NULL);
  CHECK_EQ(argmax_of({kMinusInfinity, kMinusInfinity}), LLAMA_TOKEN_NULL);
  CHECK_EQ(argmax_of(Logits(5'000, kNaN)), LLAMA_TOKEN_NULL);
  std::mt19937 random(3);
  for (int round = 0; round < 2'000; ++round) {
    Logits logits(1 + random() % 2'000);
    for (float& logit : logits) {
      logit = random() % 3 == 0   ? kNaN
              : random() % 2 == 0 ? kMinusInfinity
                                  : -static_cast<float>(random() % 1'000);
    }
    CHECK_EQ(argmax_of(logits), naive_argmax(logits));
  }
}

TEST(greedy_is_the_chains_greedy) {
  check_same({step::Greedy{}}, {llama_sampler_init_greedy()}, 1);
  check_same({}, {llama_sampler_init_greedy()}, 2);
}

TEST(the_same_seed_and_steps_give_the_same_tokens) {
  for (const uint32_t seed : {0U, 1U, 42U, 4'000'000'000U}) {
    check_same({step::Dist{}}, {llama_sampler_init_dist(seed)}, seed);
    check_same({step::TopK{40}, step::TopP{0.95F, 1}, step::MinP{0.05F, 1}, step::Temperature{0.8F},
                step::Dist{}},
               {llama_sampler_init_top_k(40), llama_sampler_init_top_p(0.95F, 1),
                llama_sampler_init_min_p(0.05F, 1), llama_sampler_init_temp(0.8F),
                llama_sampler_init_dist(seed)},
               seed);
  }
}

TEST(penalties_count_the_prompt) {
  const cria::Tokens prompt{1, 2, 3, 3, 3, 5, 8};
  const int32_t size = vocabulary().size();
  check_same({step::Penalties{64, 1.5F, 0.5F, 0.5F}, step::TopK{3}, step::Dist{}},
             {llama_sampler_init_penalties(size, 64, 1.5F, 0.5F, 0.5F), llama_sampler_init_top_k(3),
              llama_sampler_init_dist(9)},
             9, prompt);
}

TEST(a_bias_decides) {
  std::mt19937 random(4);
  const Logits logits = random_logits(random);
  Sampler up(vocabulary(), {step::LogitBias{{{17, 1'000.0F}}}, step::Greedy{}}, 0);
  CHECK_EQ(up.sample(logits.data()), 17);
  const llama_token best = argmax_of(logits);
  Sampler down(vocabulary(), {step::LogitBias{{{best, kMinusInfinity}}}, step::Greedy{}}, 0);
  CHECK(down.sample(logits.data()) != best);
  CHECK_EQ(error_code([] {
             Sampler(vocabulary(), {step::LogitBias{{{vocabulary().size(), 1.0F}}}}, 0);
           }),
           "ERR_INVALID_ARGUMENT");
}

TEST(nothing_to_choose_is_an_error) {
  const Logits none(static_cast<size_t>(vocabulary().size()), kNaN);
  Logits one_is_not_a_number(none.size(), 0.0F);
  one_is_not_a_number[5] = kNaN;
  Sampler greedy(vocabulary(), {step::Greedy{}}, 0);
  CHECK_EQ(error_code([&] { greedy.sample(none.data()); }), "ERR_DECODE_FAILED");
  Sampler drawn(vocabulary(), {step::TopK{40}, step::Dist{}}, 0);
  CHECK_EQ(error_code([&] { drawn.sample(none.data()); }), "ERR_DECODE_FAILED");
  CHECK_EQ(error_code([&] { drawn.sample(one_is_not_a_number.data()); }), "ERR_DECODE_FAILED");
}

TEST(a_grammar_is_followed_to_its_end) {
  const std::string source = "root ::= (\"yes\" | \"no\") \"!\"";
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Sampler sampler(vocabulary(), {step::Grammar{source, "root"}, step::Dist{}}, seed);
    std::mt19937 random(seed);
    std::string text;
    for (int i = 0; i < 8; ++i) {
      const llama_token token = sampler.sample(random_logits(random).data());
      if (vocabulary().ends_generation(token)) break;
      vocabulary().append_piece(token, false, text);
    }
    CHECK(text == "yes!" || text == "no!");
  }
}

// What is no GBNF at all is refused in TypeScript: llama.cpp would print it on stderr.
TEST(a_grammar_that_llama_cpp_refuses_is_an_error) {
  for (const char* source : {"root ::= root \"a\" | \"b\"", "other ::= \"x\""}) {
    CHECK_EQ(error_code([&] {
               Sampler(vocabulary(), {step::Grammar{source, "root"}}, 0);
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
