#include "core/sampling/llama_step.h"

#include <variant>

#include "core/model/error.h"
#include "core/sampling/dry.h"

namespace cria {

namespace {

struct Maker {
  const Vocabulary& vocabulary;
  uint32_t seed;

  llama_sampler* operator()(const step::Greedy&) const { return llama_sampler_init_greedy(); }
  llama_sampler* operator()(const step::Dist&) const { return llama_sampler_init_dist(seed); }
  llama_sampler* operator()(const step::Temperature& s) const {
    return llama_sampler_init_temp(s.value);
  }
  llama_sampler* operator()(const step::DynamicTemperature& s) const {
    return llama_sampler_init_temp_ext(s.value, s.range, s.exponent);
  }
  llama_sampler* operator()(const step::TopK& s) const { return llama_sampler_init_top_k(s.value); }
  llama_sampler* operator()(const step::TopP& s) const {
    return llama_sampler_init_top_p(s.value, s.min_keep);
  }
  llama_sampler* operator()(const step::MinP& s) const {
    return llama_sampler_init_min_p(s.value, s.min_keep);
  }
  llama_sampler* operator()(const step::TypicalP& s) const {
    return llama_sampler_init_typical(s.value, s.min_keep);
  }
  llama_sampler* operator()(const step::TopNSigma& s) const {
    return llama_sampler_init_top_n_sigma(s.value);
  }
  llama_sampler* operator()(const step::Xtc& s) const {
    return llama_sampler_init_xtc(s.probability, s.threshold, s.min_keep, seed);
  }
  llama_sampler* operator()(const step::Mirostat& s) const {
    if (s.version == 2) return llama_sampler_init_mirostat_v2(seed, s.tau, s.eta);
    return llama_sampler_init_mirostat(vocabulary.size(), seed, s.tau, s.eta, s.candidates);
  }
  llama_sampler* operator()(const step::AdaptiveP& s) const {
    return llama_sampler_init_adaptive_p(s.target, s.decay, seed);
  }
  llama_sampler* operator()(const step::Penalties& s) const {
    return llama_sampler_init_penalties(vocabulary.size(), s.last_n, s.repeat, s.frequency,
                                        s.presence);
  }
  llama_sampler* operator()(const step::Dry& s) const { return make_dry(vocabulary, s).release(); }
  llama_sampler* operator()(const step::LogitBias& s) const {
    for (const llama_logit_bias& bias : s.biases)
      vocabulary.check(bias.token);
    return llama_sampler_init_logit_bias(vocabulary.size(), static_cast<int32_t>(s.biases.size()),
                                         s.biases.data());
  }
  llama_sampler* operator()(const step::Infill&) const {
    // llama.cpp would abort: where it compares texts, and where it wants to end the text.
    const bool texts = llama_vocab_type(vocabulary.handle()) != LLAMA_VOCAB_TYPE_NONE;
    const bool ends = vocabulary.eot() != LLAMA_TOKEN_NULL || vocabulary.eos() != LLAMA_TOKEN_NULL;
    if (!texts || !ends) {
      throw Error(
          code::kUnsupported,
          "The sampler step \"infill\" needs a model with a tokenizer and an end-of-text or "
          "end-of-turn token.");
    }
    return llama_sampler_init_infill(vocabulary.handle());
  }
  llama_sampler* operator()(const step::Grammar&) const { return nullptr; }
};

}  // namespace

LlamaSampler make_llama_step(const Vocabulary& vocabulary, const SamplerStep& step, uint32_t seed) {
  return LlamaSampler(std::visit(Maker{vocabulary, seed}, step));
}

}  // namespace cria
