#include "core/sampling/llama_step.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "core/model/error.h"

namespace cria {

namespace {

using DryKey = std::tuple<uint64_t, float, float, int32_t, int32_t, std::vector<std::string>>;

// Fresh samplers to clone, the last used first.
struct DryCache {
  static constexpr size_t kSize = 8;

  std::mutex mutex;
  std::list<std::pair<DryKey, LlamaSampler>> entries;
};

LlamaSampler new_dry(const Vocabulary& vocabulary, const step::Dry& step) {
  std::vector<const char*> breakers;
  // Without texts no token contains a breaker, and llama.cpp would abort when it looks for one.
  const bool texts = llama_vocab_type(vocabulary.handle()) != LLAMA_VOCAB_TYPE_NONE;
  if (texts) {
    for (const std::string& breaker : step.breakers)
      breakers.push_back(breaker.c_str());
  }
  return LlamaSampler(llama_sampler_init_dry(vocabulary.handle(), step.multiplier, step.base,
                                             step.allowed_length, step.last_n, breakers.data(),
                                             breakers.size()));
}

// llama.cpp looks for the breakers in every token of the vocabulary, which takes 36 ms with 128K
// tokens. So the result is kept, and cloned for each generation.
LlamaSampler make_dry(const Vocabulary& vocabulary, const step::Dry& step) {
  static DryCache& cache = *new DryCache;  // threads may outlive static objects
  DryKey key{vocabulary.id(), step.multiplier,     step.base,
             step.last_n,     step.allowed_length, step.breakers};
  const std::lock_guard lock(cache.mutex);
  auto& entries = cache.entries;
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](auto& entry) { return entry.first == key; });
  if (found != entries.end()) {
    entries.splice(entries.begin(), entries, found);
  } else {
    entries.emplace_front(std::move(key), new_dry(vocabulary, step));
    if (entries.size() > DryCache::kSize) entries.pop_back();
  }
  return LlamaSampler(llama_sampler_clone(entries.front().second.get()));
}

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
    // llama.cpp compares texts of tokens and may choose one that ends the text: it aborts without
    // them.
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
