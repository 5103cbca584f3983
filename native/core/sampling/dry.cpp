#include "core/sampling/dry.h"

#include <algorithm>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace cria {

namespace {

using Key = std::tuple<uint64_t, float, float, int32_t, int32_t, std::vector<std::string>>;

// Samplers that saw no token yet, to be cloned; the last used first.
struct Cache {
  static constexpr size_t kSize = 8;

  std::mutex mutex;
  std::list<std::pair<Key, LlamaSampler>> entries;
};

LlamaSampler make(const Vocabulary& vocabulary, const step::Dry& step) {
  std::vector<const char*> breakers;
  // Tokens without texts have none that breaks; llama.cpp would abort asking for them.
  const bool texts = llama_vocab_type(vocabulary.handle()) != LLAMA_VOCAB_TYPE_NONE;
  if (texts) {
    for (const std::string& breaker : step.breakers)
      breakers.push_back(breaker.c_str());
  }
  return LlamaSampler(llama_sampler_init_dry(vocabulary.handle(), step.multiplier, step.base,
                                             step.allowed_length, step.last_n, breakers.data(),
                                             breakers.size()));
}

}  // namespace

LlamaSampler make_dry(const Vocabulary& vocabulary, const step::Dry& step) {
  static Cache& cache = *new Cache;  // threads may outlive static objects
  Key key{vocabulary.id(), step.multiplier,     step.base,
          step.last_n,     step.allowed_length, step.breakers};
  const std::lock_guard lock(cache.mutex);
  auto& entries = cache.entries;
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](auto& entry) { return entry.first == key; });
  if (found != entries.end()) {
    entries.splice(entries.begin(), entries, found);
  } else {
    entries.emplace_front(std::move(key), make(vocabulary, step));
    if (entries.size() > Cache::kSize) entries.pop_back();
  }
  return LlamaSampler(llama_sampler_clone(entries.front().second.get()));
}

}  // namespace cria
