// What choosing one token costs: cria::Sampler beside llama.cpp's own samplers, on logits that no
// cache still holds.
//
//   sampling VOCABULARY.gguf greedy|default|logprobs COUNT
//   sampling VOCABULARY.gguf json|json-likely COUNT GRAMMAR.gbnf
//
// One line of JSON: milliseconds of each choice, `llama` and `cria`. The two take turns. llama.cpp
// has no log-probabilities of its own: there is no `llama` then.

#include <llama.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/logprobs.h"
#include "core/sampling/sampler.h"
#include "program.h"

namespace {

namespace step = cria::step;
using Logits = std::vector<float>;

constexpr uint32_t kSeed = 1;
// 33 MB with 128K tokens: what a choice reads was not read by one of the last choices.
constexpr size_t kRows = 64;
constexpr int kWarmUp = 10;

std::vector<Logits> make_rows(int32_t width) {
  std::mt19937 random(kSeed);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  std::vector<Logits> rows(kRows, Logits(static_cast<size_t>(width)));
  for (Logits& row : rows) {
    for (float& logit : row)
      logit = normal(random);
  }
  return rows;
}

class Chain {
 public:
  explicit Chain(const std::vector<llama_sampler*>& steps)
      : chain_(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free) {
    for (llama_sampler* step : steps)
      llama_sampler_chain_add(chain_.get(), step);
  }

  // As llama_sampler_sample() does it, into an array that is kept.
  llama_token sample(const Logits& logits) {
    llama_token_data_array array = fill(logits);
    const llama_token token = choose(array);
    llama_sampler_accept(chain_.get(), token);
    return token;
  }

  // As llama.cpp's programs do it: the grammar is asked about the choice, and about all tokens only
  // if it says no.
  llama_token sample(const Logits& logits, llama_sampler* grammar) {
    llama_token_data_array array = fill(logits);
    llama_token token = choose(array);
    llama_token_data single{token, 1.0F, 0.0F};
    llama_token_data_array asked{&single, 1, -1, false};
    llama_sampler_apply(grammar, &asked);
    if (single.logit < 0.0F) {
      array = fill(logits);
      llama_sampler_apply(grammar, &array);
      token = choose(array);
    }
    llama_sampler_accept(grammar, token);
    llama_sampler_accept(chain_.get(), token);
    return token;
  }

 private:
  llama_token_data_array fill(const Logits& logits) {
    candidates_.resize(logits.size());
    for (size_t i = 0; i < logits.size(); ++i)
      candidates_[i] = {static_cast<llama_token>(i), logits[i], 0.0F};
    return {candidates_.data(), candidates_.size(), -1, false};
  }

  llama_token choose(llama_token_data_array& array) {
    llama_sampler_apply(chain_.get(), &array);
    return array.data[array.selected].id;
  }

  std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)> chain_;
  std::vector<llama_token_data> candidates_;
};

using Choose = std::function<llama_token(const Logits&)>;

double time(const Choose& choose, const Logits& logits) {
  const Clock::time_point start = Clock::now();
  choose(logits);
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void print(const char* name, const std::vector<double>& milliseconds) {
  std::printf("\"%s\":[", name);
  for (size_t i = 0; i < milliseconds.size(); ++i)
    std::printf("%s%.6f", i == 0 ? "" : ",", milliseconds[i]);
  std::printf("]");
}

void print_pair(const std::vector<double>& llama, const std::vector<double>& cria) {
  std::printf("{");
  print("llama", llama);
  std::printf(",");
  print("cria", cria);
  std::printf("}\n");
}

void compare(const Choose& llama, const Choose& cria, const std::vector<Logits>& rows, int count) {
  std::vector<double> llama_times, cria_times;
  for (int i = -kWarmUp; i < count; ++i) {
    const size_t at = 2 * static_cast<size_t>(i + kWarmUp);
    const double a = time(llama, rows[at % kRows]);
    const double b = time(cria, rows[(at + 1) % kRows]);
    if (i < 0) continue;
    llama_times.push_back(a);
    cria_times.push_back(b);
  }
  print_pair(llama_times, cria_times);
}

void compare_greedy(const cria::Vocabulary& vocabulary, int count) {
  Chain chain({llama_sampler_init_greedy()});
  cria::Sampler sampler(vocabulary, {step::Greedy{}}, kSeed);
  compare([&](const Logits& logits) { return chain.sample(logits); },
          [&](const Logits& logits) { return sampler.sample(logits.data()); },
          make_rows(vocabulary.size()), count);
}

void compare_default(const cria::Vocabulary& vocabulary, int count) {
  Chain chain({llama_sampler_init_top_k(40), llama_sampler_init_top_p(0.95F, 1),
               llama_sampler_init_min_p(0.05F, 1), llama_sampler_init_temp(0.8F),
               llama_sampler_init_dist(kSeed)});
  cria::Sampler sampler(vocabulary,
                        {step::TopK{40}, step::TopP{0.95F, 1}, step::MinP{0.05F, 1},
                         step::Temperature{0.8F}, step::Dist{}},
                        kSeed);
  compare([&](const Logits& logits) { return chain.sample(logits); },
          [&](const Logits& logits) { return sampler.sample(logits.data()); },
          make_rows(vocabulary.size()), count);
}

// The chosen token's and the 20 likeliest ones', as a generation with `logprobs: 20` has them at
// each token.
void measure_logprobs(const cria::Vocabulary& vocabulary, int count) {
  constexpr int32_t kTop = 20;
  const std::vector<Logits> rows = make_rows(vocabulary.size());
  std::vector<cria::TokenLogprob> result;
  const Choose choose = [&](const Logits& logits) {
    result.clear();
    cria::top_logprobs(logits.data(), vocabulary.size(), 0, kTop, result);
    if (result.size() != 1 + kTop) throw std::runtime_error("not the number asked for");
    return result.front().token;
  };
  std::vector<double> times;
  for (int i = -kWarmUp; i < count; ++i) {
    const double taken = time(choose, rows[static_cast<size_t>(i + kWarmUp) % kRows]);
    if (i >= 0) times.push_back(taken);
  }
  std::printf("{");
  print("cria", times);
  std::printf("}\n");
}

// Where a grammar has reached its end only an end of generation is left: then a new text begins.
class JsonText {
 public:
  JsonText(const cria::Vocabulary& vocabulary, std::string source)
      : vocabulary_(vocabulary), source_(std::move(source)), chain_({llama_sampler_init_greedy()}) {
    begin_llama();
    begin_cria();
  }

  llama_token by_llama(const Logits& logits) { return chain_.sample(logits, grammar_.get()); }
  llama_token by_cria(const Logits& logits) { return sampler_->sample(logits.data()); }
  void begin_llama() {
    grammar_.reset(llama_sampler_init_grammar(vocabulary_.handle(), source_.c_str(), "root"));
    if (!grammar_) throw std::runtime_error("llama.cpp does not take the grammar");
  }
  void begin_cria() {
    step::Grammar grammar;
    grammar.source = source_;
    grammar.root = "root";
    const std::vector<cria::SamplerStep> steps = {grammar, step::Greedy{}};
    sampler_ = std::make_unique<cria::Sampler>(vocabulary_, steps, kSeed);
  }
  bool ended(llama_token token) const { return vocabulary_.ends_generation(token); }

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };

  const cria::Vocabulary& vocabulary_;
  const std::string source_;
  Chain chain_;
  std::unique_ptr<llama_sampler, Free> grammar_;
  std::unique_ptr<cria::Sampler> sampler_;
};

// A text that a model could write, told by its logits: each token of it is the likeliest in its
// turn.
class Likely {
 public:
  explicit Likely(const cria::Vocabulary& vocabulary)
      : tokens_(vocabulary.tokenize(
            R"({"name": "cria", "age": 3, "tags": ["small", "woolly"], "owner": {"id": 17.5}, )"
            R"("alive": true, "note": "A baby llama, born in the morning.", "price": null})",
            false)),
        end_(vocabulary.eos()) {}

  llama_token at(size_t i) const { return i < tokens_.size() ? tokens_[i] : end_; }
  size_t length() const { return tokens_.size() + 1; }

 private:
  const cria::Tokens tokens_;
  const llama_token end_;
};

void compare_json(const cria::Vocabulary& vocabulary, int count, const std::string& source,
                  bool likely) {
  constexpr float kLikely = 40.0F;
  std::vector<Logits> rows = make_rows(vocabulary.size());
  JsonText text(vocabulary, source);
  const Likely expected(vocabulary);
  std::vector<double> llama_times, cria_times;
  llama_token chosen = LLAMA_TOKEN_NULL;

  const auto step = [&](Logits& row, size_t at, const Choose& choose,
                        const std::function<void()>& begin) {
    const llama_token wanted = expected.at(at % expected.length());
    const float kept = row[wanted];
    if (likely) row[wanted] = kLikely;
    const double milliseconds =
        time([&](const Logits& logits) { return chosen = choose(logits); }, row);
    row[wanted] = kept;
    if (likely && chosen != wanted) throw std::runtime_error("not the likeliest token");
    if (text.ended(chosen)) begin();
    return milliseconds;
  };
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    llama_times.push_back(step(
        rows[2 * at % kRows], at, [&](const Logits& logits) { return text.by_llama(logits); },
        [&] { text.begin_llama(); }));
    cria_times.push_back(step(
        rows[(2 * at + 1) % kRows], at, [&](const Logits& logits) { return text.by_cria(logits); },
        [&] { text.begin_cria(); }));
  }
  print_pair(llama_times, cria_times);
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void run(const std::vector<std::string>& args) {
  if (args.size() < 3) throw std::runtime_error("expected 3 arguments");
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  const ModelPtr model(llama_model_load_from_file(args[0].c_str(), params), llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + args[0]);
  const cria::Vocabulary vocabulary(llama_model_get_vocab(model.get()));
  const std::string& what = args[1];
  const int count = std::stoi(args[2]);
  if (what == "greedy") return compare_greedy(vocabulary, count);
  if (what == "default") return compare_default(vocabulary, count);
  if (what == "logprobs") return measure_logprobs(vocabulary, count);
  if ((what == "json" || what == "json-likely") && args.size() == 4) {
    return compare_json(vocabulary, count, read(args[3]), what == "json-likely");
  }
  throw std::runtime_error("cannot compare " + what);
}

}  // namespace

int main(int argc, char** argv) { return run_program("sampling", argc, argv, run); }
