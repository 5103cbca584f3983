// What the tests of native/core on a real model share: the model, contexts on it, prompts, and a
// plain decode loop to compare with.
#pragma once

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/model/backend.h"
#include "core/model/model.h"
#include "core/model/vocabulary.h"
#include "harness.h"
#include "temporary_file.h"

namespace demo {

using cria::Tokens;

// What another order of sums may make of logits, at most, where nothing is rounded to fewer than 32
// bits (Unrounded). Elsewhere there is no such bound: weights of Q8_0 round what they are
// multiplied with to 8 bits, flash attention keys and values to 16, and both carry the last bit of
// a sum on to logits that differ by 1. What is compared there has to be equal.
constexpr float kNearTie = 1e-3F;

// Between two rows of logits, or two vectors: the largest of any element.
inline float distance(const std::vector<float>& a, const std::vector<float>& b) {
  CHECK_EQ(a.size(), b.size());
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

inline std::shared_ptr<cria::Model>& model() {
  static std::shared_ptr<cria::Model> loaded;
  return loaded;
}

// Its file.
inline std::string& path() {
  static std::string given;
  return given;
}

inline std::shared_ptr<cria::Model> load(const std::string& path) {
  cria::ModelOptions options;
  options.path = path;
  return cria::Model::load(options, [](float) { return true; });
}

// A file of the same weights in another type, mapped as long as a model of it lives.
inline std::string path_as(llama_ftype type) {
  static std::map<llama_ftype, TemporaryFile> files;
  const auto [entry, is_new] = files.try_emplace(type);
  const std::string file = entry->second.path();
  if (!is_new) return file;
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type;
  params.allow_requantize = true;
  params.nthread = 1;
  CHECK_EQ(llama_model_quantize(path().c_str(), file.c_str(), &params), 0U);
  return file;
}

// The model of the same weights in another type, in the place of model() while it lives.
class Requantized {
 public:
  explicit Requantized(llama_ftype type) : given_(model()) {
    static std::map<llama_ftype, std::shared_ptr<cria::Model>> models;
    std::shared_ptr<cria::Model>& same = models[type];
    if (same == nullptr) same = load(path_as(type));
    model() = same;
  }
  ~Requantized() { model() = given_; }
  Requantized(const Requantized&) = delete;
  Requantized& operator=(const Requantized&) = delete;

 private:
  const std::shared_ptr<cria::Model> given_;
};

// In 32 bits: for what is computed in another order than what it is compared with.
class Unrounded : public Requantized {
 public:
  Unrounded() : Requantized(LLAMA_FTYPE_ALL_F32) {}
};

struct Shape {
  int32_t sequences = 4;
  int32_t context_size = 256;
  bool shared = false;
  int32_t cells = 0;  // of a unified KV cache; 0: enough for all
  int32_t micro_batch = 512;
  bool rounds = true;  // as in use: a cache of F16, flash attention
};

struct Free {
  void operator()(llama_context* context) const { llama_free(context); }
};
using ContextPtr = std::unique_ptr<llama_context, Free>;

// As cria::Context makes them, but with one thread. What is computed with more is the same to the
// bit, except for the row alone behind 512 cells or more that flash attention divides among
// threads.
inline ContextPtr make_context(const Shape& shape) {
  llama_context_params params = llama_context_default_params();
  const int32_t all = shape.context_size * shape.sequences;
  params.n_ctx = static_cast<uint32_t>(shape.shared && shape.cells > 0 ? shape.cells : all);
  params.n_seq_max = static_cast<uint32_t>(shape.sequences);
  params.n_batch = static_cast<uint32_t>(std::max(shape.micro_batch, shape.sequences));
  params.n_ubatch = static_cast<uint32_t>(shape.micro_batch);
  params.kv_unified = shape.shared;
  if (!shape.rounds) {
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
  }
  params.n_threads = params.n_threads_batch = 1;
  ContextPtr context(llama_init_from_model(model()->handle(), params));
  CHECK(context != nullptr);
  return context;
}

inline Tokens random_tokens(std::mt19937& random, size_t count) {
  const cria::Vocabulary& vocabulary = model()->vocabulary();
  Tokens tokens(count);
  for (llama_token& token : tokens) {
    do {
      token = static_cast<llama_token>(random() % static_cast<uint32_t>(vocabulary.size()));
    } while (vocabulary.ends_generation(token));
  }
  return tokens;
}

// What the model was trained on, more or less: it is surer of its next token there, and near ties
// are nearer, than after any tokens.
inline Tokens random_text(std::mt19937& random, size_t count) {
  static const char* const sentences[] = {
      "What is a llama?",     "My name is Ada.",     "What is my name?", "Where do llamas live?",
      "Say hello.",           "I live in Lisbon.",   "Where do I live?", "How much is 2 and 3?",
      "What do llamas eat?",  "Please be brief.",    "Thank you.",       "Once upon a time,",
      "a small llama",        "went to the market.", "Repeat after me:", "The weather is sunny.",
      "It is 21 degrees now", "3 4 5 6 7 8 9 10",    "Hello, I am Tom.", "Answer in one sentence."};
  Tokens tokens;
  while (tokens.size() < count) {
    const char* sentence = sentences[random() % std::size(sentences)];
    const Tokens more = model()->vocabulary().tokenize(sentence, /*special=*/false);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  tokens.resize(count);
  return tokens;
}

inline Tokens joined(const Tokens& a, const Tokens& b) {
  Tokens all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

inline Tokens first(const Tokens& tokens, size_t count) {
  return {tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count)};
}

// Evaluates some tokens of one sequence in one batch; the logits of the last `outputs`, one behind
// the other.
inline std::vector<float> decode(llama_context* context, llama_seq_id slot, const Tokens& tokens,
                                 size_t begin, size_t end, int32_t outputs = 1) {
  const auto count = static_cast<int32_t>(end - begin);
  llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int32_t i = 0; i < count; ++i) {
    batch.token[i] = tokens[begin + static_cast<size_t>(i)];
    batch.pos[i] = static_cast<llama_pos>(begin) + i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = slot;
    batch.logits[i] = i >= count - outputs ? 1 : 0;
  }
  const int32_t status = llama_decode(context, batch);
  llama_batch_free(batch);
  CHECK_EQ(status, 0);
  std::vector<float> all;
  for (int32_t i = count - outputs; i < count; ++i) {
    const float* logits = llama_get_logits_ith(context, i);
    all.insert(all.end(), logits, logits + model()->vocabulary().size());
  }
  return all;
}

inline llama_token likeliest(const float* logits) {
  return static_cast<llama_token>(std::max_element(logits, logits + model()->vocabulary().size()) -
                                  logits);
}

inline llama_token likeliest(const std::vector<float>& logits) { return likeliest(logits.data()); }

// How far, at worst, the logit of a generated token is below the highest, when a plain decode loop
// evaluates prompt and tokens alone. 0: these are what greedy choice gives. `ends`: whether tokens
// that end a generation were among the candidates. Of `like`, what changes roundings counts.
inline float gap(const Tokens& prompt, const Tokens& generated, const Shape& like = {},
                 bool ends = true) {
  Shape shape{1, static_cast<int32_t>(prompt.size() + generated.size()) + 1};
  shape.micro_batch = like.micro_batch;
  shape.rounds = like.rounds;
  const auto micro_batch = static_cast<size_t>(like.micro_batch);
  const ContextPtr context = make_context(shape);
  const Tokens all = joined(prompt, generated);
  std::vector<float> logits;
  for (size_t begin = 0; begin < prompt.size();) {
    const size_t end = std::min(begin + micro_batch, prompt.size());
    logits = decode(context.get(), 0, all, begin, end);
    begin = end;
  }
  float worst = 0;
  for (size_t i = prompt.size(); i < all.size(); ++i) {
    const auto chosen = static_cast<size_t>(all[i]);
    for (llama_token token = 0; !ends && token < model()->vocabulary().size(); ++token) {
      if (model()->vocabulary().ends_generation(token)) {
        logits[static_cast<size_t>(token)] = -std::numeric_limits<float>::infinity();
      }
    }
    worst = std::max(worst, logits[static_cast<size_t>(likeliest(logits))] - logits[chosen]);
    if (i + 1 < all.size()) logits = decode(context.get(), 0, all, i, i + 1);
  }
  return worst;
}

// main() of a program whose first argument is the model.
inline int run(int argc, char** argv) {
  cria::backend::start();
  try {
    if (argc < 2) throw std::runtime_error("usage: PROGRAM MODEL [tests]");
    path() = argv[1];
    model() = load(path());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  const int status = harness::run(argc - 1, argv + 1);
  model().reset();
  return status;
}

}  // namespace demo
