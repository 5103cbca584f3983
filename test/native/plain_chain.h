// The steps of a sampler as a plain llama.cpp chain, for tests to compare with: it shares nothing
// with native/core but the steps' declarations, and works on all candidates for every token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/sampling/sampler_step.h"
#include "llama.h"

namespace plain {

using Chain = std::unique_ptr<llama_sampler, decltype(&llama_sampler_free)>;

struct Maker {
  const llama_vocab* vocab;
  uint32_t seed;

  using S = llama_sampler*;
  int32_t size() const { return llama_vocab_n_tokens(vocab); }
  S operator()(const cria::step::Greedy&) const { return llama_sampler_init_greedy(); }
  S operator()(const cria::step::Dist&) const { return llama_sampler_init_dist(seed); }
  S operator()(const cria::step::Temperature& s) const { return llama_sampler_init_temp(s.value); }
  S operator()(const cria::step::DynamicTemperature& s) const {
    return llama_sampler_init_temp_ext(s.value, s.range, s.exponent);
  }
  S operator()(const cria::step::TopK& s) const { return llama_sampler_init_top_k(s.value); }
  S operator()(const cria::step::TopP& s) const {
    return llama_sampler_init_top_p(s.value, s.min_keep);
  }
  S operator()(const cria::step::MinP& s) const {
    return llama_sampler_init_min_p(s.value, s.min_keep);
  }
  S operator()(const cria::step::TypicalP& s) const {
    return llama_sampler_init_typical(s.value, s.min_keep);
  }
  S operator()(const cria::step::TopNSigma& s) const {
    return llama_sampler_init_top_n_sigma(s.value);
  }
  S operator()(const cria::step::Xtc& s) const {
    return llama_sampler_init_xtc(s.probability, s.threshold, s.min_keep, seed);
  }
  S operator()(const cria::step::Mirostat& s) const {
    return s.version == 1 ? llama_sampler_init_mirostat(size(), seed, s.tau, s.eta, s.candidates)
                          : llama_sampler_init_mirostat_v2(seed, s.tau, s.eta);
  }
  S operator()(const cria::step::AdaptiveP& s) const {
    return llama_sampler_init_adaptive_p(s.target, s.decay, seed);
  }
  S operator()(const cria::step::Penalties& s) const {
    return llama_sampler_init_penalties(size(), s.last_n, s.repeat, s.frequency, s.presence);
  }
  S operator()(const cria::step::Dry& s) const {
    std::vector<const char*> breakers;
    for (const std::string& breaker : s.breakers)
      breakers.push_back(breaker.c_str());
    return llama_sampler_init_dry(vocab, s.multiplier, s.base, s.allowed_length, s.last_n,
                                  breakers.data(), breakers.size());
  }
  S operator()(const cria::step::LogitBias& s) const {
    return llama_sampler_init_logit_bias(size(), static_cast<int32_t>(s.biases.size()),
                                         s.biases.data());
  }
  S operator()(const cria::step::Infill&) const { return llama_sampler_init_infill(vocab); }
  S operator()(const cria::step::Grammar& s) const {
    return llama_sampler_init_grammar(vocab, s.source.c_str(), s.root.c_str());
  }
};

inline Chain make_chain(const llama_vocab* vocab, const std::vector<cria::SamplerStep>& steps,
                        uint32_t seed) {
  Chain chain(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free);
  for (const cria::SamplerStep& step : steps)
    llama_sampler_chain_add(chain.get(), std::visit(Maker{vocab, seed}, step));
  return chain;
}

// What stands before a generation, which is no business of a grammar's.
inline void accept_prompt(llama_sampler* chain, const std::vector<llama_token>& prompt) {
  for (int i = 0; i < llama_sampler_chain_n(chain); ++i) {
    llama_sampler* step = llama_sampler_chain_get(chain, i);
    if (std::string(llama_sampler_name(step)) == "grammar") continue;
    for (const llama_token token : prompt)
      llama_sampler_accept(step, token);
  }
}

// As llama_sampler_sample() does it, but for logits that no context gave.
inline llama_token sample(llama_sampler* chain, const std::vector<float>& logits) {
  std::vector<llama_token_data> candidates;
  for (size_t i = 0; i < logits.size(); ++i)
    candidates.push_back({static_cast<llama_token>(i), logits[i], 0.0F});
  llama_token_data_array array{candidates.data(), candidates.size(), -1, false};
  llama_sampler_apply(chain, &array);
  const llama_token token = array.data[array.selected].id;
  llama_sampler_accept(chain, token);
  return token;
}

}  // namespace plain
