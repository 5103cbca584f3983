// What llama.cpp's own sampler chains choose, for the tests to compare cria with: a plain program
// over llama.h that shares no code with native/ and gives each chain all candidates for every
// token.
//
//   cria-sampler-reference MODEL N    at most N tokens each, on stdout one line of ids per sampler
//
// stdin: lines of fields with a tab between them, texts as in a URL (%0A):
//   prompt  ID…
//   sampler SEED                 begins one; its steps follow
//   step    TYPE ARGUMENT…       the arguments in the order of the cases below
// Exit status: 0 done, 1 failed (the reason is on stderr).

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "llama.h"

namespace {

using Fields = std::vector<std::string>;
using Ids = std::vector<llama_token>;
using ModelPtr = std::unique_ptr<llama_model, decltype(&llama_model_free)>;
using ContextPtr = std::unique_ptr<llama_context, decltype(&llama_free)>;
using ChainPtr = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

std::string decode_text(const std::string& text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Fields split(const std::string& line) {
  std::istringstream stream(line);
  Fields fields;
  for (std::string field; std::getline(stream, field, '\t');)
    fields.push_back(decode_text(field));
  return fields;
}

llama_sampler* make_dry(const llama_vocab* vocab, const Fields& f) {
  std::vector<const char*> breakers;
  for (size_t i = 6; i < f.size(); ++i)
    breakers.push_back(f[i].c_str());
  return llama_sampler_init_dry(vocab, std::stof(f[2]), std::stof(f[3]), std::stoi(f[4]),
                                std::stoi(f[5]), breakers.data(), breakers.size());
}

llama_sampler* make_bias(const llama_vocab* vocab, const Fields& f) {
  std::vector<llama_logit_bias> biases;
  for (size_t i = 2; i + 1 < f.size(); i += 2)
    biases.push_back({std::stoi(f[i]), std::stof(f[i + 1])});
  return llama_sampler_init_logit_bias(llama_vocab_n_tokens(vocab),
                                       static_cast<int32_t>(biases.size()), biases.data());
}

llama_sampler* make_step(const llama_vocab* vocab, uint32_t seed, const Fields& f) {
  const std::string& type = f.at(1);
  const int32_t size = llama_vocab_n_tokens(vocab);
  const auto real = [&f](size_t i) { return std::stof(f.at(i)); };
  const auto whole = [&f](size_t i) { return std::stoi(f.at(i)); };
  const auto keep = [&](size_t i) { return static_cast<size_t>(whole(i)); };
  if (type == "greedy") return llama_sampler_init_greedy();
  if (type == "dist") return llama_sampler_init_dist(seed);
  if (type == "temperature") return llama_sampler_init_temp(real(2));
  if (type == "dynamic-temperature") return llama_sampler_init_temp_ext(real(2), real(3), real(4));
  if (type == "top-k") return llama_sampler_init_top_k(whole(2));
  if (type == "top-p") return llama_sampler_init_top_p(real(2), keep(3));
  if (type == "min-p") return llama_sampler_init_min_p(real(2), keep(3));
  if (type == "typical-p") return llama_sampler_init_typical(real(2), keep(3));
  if (type == "top-n-sigma") return llama_sampler_init_top_n_sigma(real(2));
  if (type == "xtc") return llama_sampler_init_xtc(real(2), real(3), keep(4), seed);
  if (type == "mirostat" && whole(2) == 1) {
    return llama_sampler_init_mirostat(size, seed, real(3), real(4), whole(5));
  }
  if (type == "mirostat") return llama_sampler_init_mirostat_v2(seed, real(3), real(4));
  if (type == "adaptive-p") return llama_sampler_init_adaptive_p(real(2), real(3), seed);
  if (type == "penalties") {
    return llama_sampler_init_penalties(size, whole(2), real(3), real(4), real(5));
  }
  if (type == "dry") return make_dry(vocab, f);
  if (type == "logit-bias") return make_bias(vocab, f);
  if (type == "infill") return llama_sampler_init_infill(vocab);
  if (type == "grammar") {
    return llama_sampler_init_grammar(vocab, f.at(2).c_str(), f.at(3).c_str());
  }
  throw std::runtime_error("no such step: " + type);
}

// A grammar has nothing to do with what stands before the generation.
void accept_prompt(llama_sampler* chain, const Ids& prompt) {
  for (int i = 0; i < llama_sampler_chain_n(chain); ++i) {
    llama_sampler* step = llama_sampler_chain_get(chain, i);
    if (std::string(llama_sampler_name(step)) == "grammar") continue;
    for (const llama_token id : prompt)
      llama_sampler_accept(step, id);
  }
}

Ids generate(llama_model* model, Ids prompt, llama_sampler* chain, size_t limit) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<uint32_t>(prompt.size() + limit);
  params.n_threads = 1;
  params.n_threads_batch = 1;
  const ContextPtr context(llama_init_from_model(model, params), llama_free);
  if (!context) throw std::runtime_error("cannot create a context");
  accept_prompt(chain, prompt);
  Ids generated;
  llama_batch batch = llama_batch_get_one(prompt.data(), static_cast<int32_t>(prompt.size()));
  while (true) {
    if (llama_decode(context.get(), batch) != 0) throw std::runtime_error("llama_decode");
    generated.push_back(llama_sampler_sample(chain, context.get(), -1));
    const bool ends = llama_vocab_is_eog(llama_model_get_vocab(model), generated.back());
    if (ends || generated.size() == limit) return generated;
    batch = llama_batch_get_one(&generated.back(), 1);
  }
}

void run(const std::string& path, size_t limit) {
  const ModelPtr model(llama_model_load_from_file(path.c_str(), llama_model_default_params()),
                       llama_model_free);
  if (!model) throw std::runtime_error("cannot load " + path);
  const llama_vocab* vocab = llama_model_get_vocab(model.get());
  Ids prompt;
  uint32_t seed = 0;
  ChainPtr chain(nullptr, llama_sampler_free);
  const auto finish = [&] {
    if (!chain) return;
    for (const llama_token id : generate(model.get(), prompt, chain.get(), limit))
      std::printf("%d ", id);
    std::printf("\n");
    chain.reset();
  };
  for (std::string line; std::getline(std::cin, line);) {
    const Fields f = split(line);
    if (f.at(0) == "prompt") {
      finish();
      prompt.clear();
      for (size_t i = 1; i < f.size(); ++i)
        prompt.push_back(std::stoi(f[i]));
    } else if (f.at(0) == "sampler") {
      finish();
      seed = static_cast<uint32_t>(std::stoul(f.at(1)));
      chain.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    } else {
      llama_sampler_chain_add(chain.get(), make_step(vocab, seed, f));
    }
  }
  finish();
}

}  // namespace

int main(int argc, char** argv) {
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  int status = 0;
  llama_backend_init();
  try {
    if (argc != 3) throw std::runtime_error("expected a model and a number");
    run(argv[1], std::strtoul(argv[2], nullptr, 10));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cria-sampler-reference: %s\n", error.what());
    status = 1;
  }
  llama_backend_free();
  return status;
}
