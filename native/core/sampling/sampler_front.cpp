#include "core/sampling/sampler_front.h"

#include <algorithm>
#include <variant>

namespace cria {

namespace {

// With more candidates, llama.cpp's own way with all of them is no slower. It looks for each bias
// in each candidate, so of those there may be fewer.
constexpr int32_t kMostKept = 1024;
constexpr size_t kMostBiased = 64;
constexpr size_t kMostChanged = 1024;

}  // namespace

SamplerFront::SamplerFront(const std::vector<SamplerStep>& steps) {
  for (const SamplerStep& step : steps) {
    if (const auto* bias = std::get_if<step::LogitBias>(&step)) {
      for (const llama_logit_bias& each : bias->biases)
        biased_.push_back(each.token);
    } else if (const auto* penalties = std::get_if<step::Penalties>(&step)) {
      window_ = std::max(window_, static_cast<size_t>(std::max(penalties->last_n, 0)));
    } else if (const auto* dry = std::get_if<step::Dry>(&step)) {
      window_ = std::max(window_, static_cast<size_t>(std::max(dry->last_n, 0)));
    } else if (std::holds_alternative<step::Grammar>(step)) {
      grammar_ = true;
    } else if (const auto* temperature = std::get_if<step::Temperature>(&step);
               temperature != nullptr && temperature->value > 0.0F) {
      temperatures_.push_back(temperature->value);
    } else {
      if (std::holds_alternative<step::Greedy>(step)) {
        cut_ = Cut::kGreedy;
      } else if (const auto* top_k = std::get_if<step::TopK>(&step)) {
        limit_ = top_k->value;
        if (limit_ > 0 && limit_ <= kMostKept) cut_ = Cut::kTopK;
      } else if (const auto* min_p = std::get_if<step::MinP>(&step)) {
        min_p_ = min_p->value;
        min_keep_ = min_p->min_keep;
        if (min_p_ > 0.0F) cut_ = Cut::kMinP;
      }
      break;
    }
    ++length_;
  }
  if (length_ == steps.size()) cut_ = Cut::kGreedy;  // which follows
  std::sort(biased_.begin(), biased_.end());
  biased_.erase(std::unique(biased_.begin(), biased_.end()), biased_.end());
  if (biased_.size() > kMostBiased) cut_ = Cut::kNone;
  if (cut_ == Cut::kNone) window_ = 0;
}

bool SamplerFront::changed(const RecentTokens& recent, Tokens& tokens) const {
  const auto& different = recent.different();
  if (biased_.size() + different.size() > kMostChanged) return false;
  tokens = biased_;
  if (different.empty()) return true;
  for (const auto& [token, count] : different)
    tokens.push_back(token);
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return true;
}

float SamplerFront::pass(float logit) const {
  for (const float temperature : temperatures_)
    logit /= temperature;
  return logit;
}

}  // namespace cria
