#include "sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "backend.h"
#include "error.h"

namespace cria {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

constexpr const char* kNothingToChoose =
    "No token is left to choose: the logits are not finite, or the sampler's steps (a bias, a "
    "grammar) leave nothing.";

llama_sampler* make(const step::Greedy&, uint32_t) { return llama_sampler_init_greedy(); }
llama_sampler* make(const step::Dist&, uint32_t seed) { return llama_sampler_init_dist(seed); }
llama_sampler* make(const step::Temperature& s, uint32_t) {
  return llama_sampler_init_temp(s.value);
}
llama_sampler* make(const step::TopK& s, uint32_t) { return llama_sampler_init_top_k(s.value); }
llama_sampler* make(const step::TopP& s, uint32_t) {
  return llama_sampler_init_top_p(s.value, s.min_keep);
}
llama_sampler* make(const step::MinP& s, uint32_t) {
  return llama_sampler_init_min_p(s.value, s.min_keep);
}

}  // namespace

Sampler::Sampler(const Vocabulary& vocabulary, const std::vector<SamplerStep>& steps, uint32_t seed)
    : vocabulary_(vocabulary),
      chain_(llama_sampler_chain_init(llama_sampler_chain_default_params())) {
  for (const SamplerStep& step : steps)
    add(step, seed);
}

void Sampler::add(const SamplerStep& step, uint32_t seed) {
  std::visit(
      [&](const auto& s) {
        using Step = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<Step, step::Grammar>) {
          grammar_.emplace(vocabulary_, s);
        } else if constexpr (std::is_same_v<Step, step::LogitBias>) {
          for (const llama_logit_bias& bias : s.biases)
            vocabulary_.check(bias.token);
          llama_sampler_chain_add(
              chain_.get(),
              llama_sampler_init_logit_bias(
                  vocabulary_.size(), static_cast<int32_t>(s.biases.size()), s.biases.data()));
          greedy_ = false;
        } else if constexpr (std::is_same_v<Step, step::Penalties>) {
          llama_sampler_chain_add(
              chain_.get(), llama_sampler_init_penalties(vocabulary_.size(), s.last_n, s.repeat,
                                                         s.frequency, s.presence));
          greedy_ = false;
          looks_back_ = true;
        } else {
          llama_sampler_chain_add(chain_.get(), make(s, seed));
          if constexpr (!std::is_same_v<Step, step::Greedy>) greedy_ = false;
        }
      },
      step);
}

Sampler::Sampler(const Sampler& other)
    : vocabulary_(other.vocabulary_),
      chain_(llama_sampler_clone(other.chain_.get())),
      grammar_(other.grammar_),
      greedy_(other.greedy_),
      looks_back_(other.looks_back_) {}

void Sampler::accept(llama_token token) {
  if (looks_back_) llama_sampler_accept(chain_.get(), token);
}

void Sampler::accept_prompt(const Tokens& prompt) {
  if (!looks_back_) return;
  for (const llama_token token : prompt)
    llama_sampler_accept(chain_.get(), token);
}

llama_token Sampler::sample(const float* logits) {
  // Asking a grammar for all candidates is dear; asking for the one that was chosen is not, and
  // nearly always it may stay.
  llama_token token = choose(logits, /*constrained=*/false);
  if (grammar_ && !grammar_->allows(token)) token = choose(logits, /*constrained=*/true);
  if (grammar_) grammar_->accept(token);
  if (!greedy_) llama_sampler_accept(chain_.get(), token);
  return token;
}

llama_token Sampler::choose(const float* logits, bool constrained) {
  if (!greedy_ || constrained) return choose_from_candidates(logits, constrained);
  const llama_token token = argmax(logits, vocabulary_.size());
  if (token == LLAMA_TOKEN_NULL) throw Error(code::kDecodeFailed, kNothingToChoose);
  return token;
}

llama_token Sampler::choose_from_candidates(const float* logits, bool constrained) {
  const auto count = static_cast<size_t>(vocabulary_.size());
  candidates_.resize(count);
  int32_t not_numbers = 0;
  for (size_t i = 0; i < count; ++i) {
    candidates_[i] = {static_cast<llama_token>(i), logits[i], 0.0F};
    not_numbers += std::isnan(logits[i]) ? 1 : 0;
  }
  if (not_numbers > 0) throw Error(code::kDecodeFailed, kNothingToChoose);

  llama_token_data_array array{candidates_.data(), count, -1, false};
  if (constrained) {
    grammar_->filter(array);
    const bool some = std::any_of(candidates_.begin(), candidates_.end(),
                                  [](const auto& c) { return c.logit > kMinusInfinity; });
    if (!some) throw Error(code::kDecodeFailed, kNothingToChoose);
  }
  llama_sampler_apply(chain_.get(), &array);
  const bool selected = array.selected >= 0 && array.selected < static_cast<int64_t>(array.size);
  if (!selected || !(array.data[array.selected].logit > kMinusInfinity)) {
    throw Error(code::kDecodeFailed, kNothingToChoose);
  }
  return array.data[array.selected].id;
}

llama_token argmax(const float* logits, int32_t count) {
  // Block by block, each in independent lanes, which compilers turn into vector instructions; a
  // single running maximum they may not reorder.
  constexpr int32_t kLanes = 16;
  constexpr int32_t kBlock = 32 * kLanes;

  float best = kMinusInfinity;
  int32_t best_block = -1;
  for (int32_t block = 0; block < count; block += kBlock) {
    const int32_t end = std::min(count, block + kBlock);
    std::array<float, kLanes> lanes;
    lanes.fill(kMinusInfinity);
    int32_t i = block;
    for (; i + kLanes <= end; i += kLanes) {
      for (int32_t lane = 0; lane < kLanes; ++lane) {
        const float logit = logits[i + lane];
        lanes[lane] = logit > lanes[lane] ? logit : lanes[lane];
      }
    }
    for (; i < end; ++i)
      lanes[0] = logits[i] > lanes[0] ? logits[i] : lanes[0];
    const float highest = *std::max_element(lanes.begin(), lanes.end());
    if (highest > best) {
      best = highest;
      best_block = block;
    }
  }
  if (best_block < 0) return LLAMA_TOKEN_NULL;
  const float* found = std::find(logits + best_block, logits + count, best);
  return static_cast<llama_token>(found - logits);
}

}  // namespace cria
