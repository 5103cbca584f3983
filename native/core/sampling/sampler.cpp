#include "core/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>
#include <variant>

#include "core/model/error.h"

namespace cria {

namespace {

using Cut = SamplerFront::Cut;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// How many candidates a grammar is asked about at once, at first and at most. Beyond that it is
// cheaper to list all tokens that it allows.
constexpr int32_t kFirstAsked = 64;
constexpr int32_t kMostAsked = 1024;

// The infill step compares each candidate with all others.
constexpr int32_t kMostInfill = 1000;

// Not a token, but not LLAMA_TOKEN_NULL either: on that llama.cpp's adaptive-p step would abort.
constexpr llama_token kNoToken = -2;

[[noreturn]] void throw_nothing_left() {
  throw Error(
      code::kDecodeFailed,
      "No token is left to choose: the logits are not finite, or the sampler's steps (a bias, "
      "a grammar) leave nothing.");
}

template <typename... Steps>
bool is_any(const SamplerStep& step) {
  return (std::holds_alternative<Steps>(step) || ...);
}

// The lowest logit that min-p keeps, computed as llama.cpp does.
float least_likely(const std::vector<llama_token_data>& candidates, float min_p) {
  float max = kMinusInfinity;
  for (const llama_token_data& candidate : candidates)
    max = std::max(max, candidate.logit);
  return max + std::log(min_p);
}

}  // namespace

Sampler::Sampler(const Vocabulary& vocabulary, const std::vector<SamplerStep>& steps, uint32_t seed)
    : vocabulary_(vocabulary), front_(steps) {
  int32_t kept = std::numeric_limits<int32_t>::max();
  for (const SamplerStep& step : steps) {
    if (const auto* top_k = std::get_if<step::TopK>(&step)) {
      if (top_k->value > 0) kept = std::min(kept, top_k->value);
    }
    if (std::holds_alternative<step::Infill>(step) && kept > kMostInfill) {
      throw Error(code::kInvalidArgument,
                  "The sampler step \"infill\" needs a \"top-k\" of at most " +
                      std::to_string(kMostInfill) + " before it.");
    }
    add(step, seed);
  }
  const bool selects =
      !steps.empty() &&
      is_any<step::Greedy, step::Dist, step::Mirostat, step::AdaptiveP>(steps.back());
  if (!selects) add(step::Greedy{}, seed);
  recent_.widen(front_.window());
}

void Sampler::add(const SamplerStep& step, uint32_t seed) {
  Link::Kind kind = Link::Kind::kPlain;
  if (const auto* grammar = std::get_if<step::Grammar>(&step)) {
    kind = Link::Kind::kGrammar;
    grammar_.emplace(vocabulary_, *grammar);
  } else if (const auto* penalties = std::get_if<step::Penalties>(&step)) {
    kind = Link::Kind::kLooksBack;
    looks_back_ = std::max(looks_back_, static_cast<size_t>(std::max(penalties->last_n, 0)));
  } else if (const auto* dry = std::get_if<step::Dry>(&step)) {
    kind = Link::Kind::kLooksBack;
    looks_back_ = std::max(looks_back_, static_cast<size_t>(std::max(dry->last_n, 0)));
  } else if (std::holds_alternative<step::AdaptiveP>(step)) {
    kind = Link::Kind::kAdaptive;
  } else if (std::holds_alternative<step::Infill>(step)) {
    infills_ = true;
  }
  links_.push_back({kind, make_llama_step(vocabulary_, step, seed)});
}

Sampler::Sampler(const Sampler& other)
    : vocabulary_(other.vocabulary_),
      front_(other.front_),
      grammar_(other.grammar_),
      looks_back_(other.looks_back_),
      infills_(other.infills_),
      recent_(other.recent_),
      draws_(other.draws_) {
  for (const auto& [kind, step] : other.links_) {
    links_.push_back({kind, LlamaSampler(llama_sampler_clone(step.get()))});
    if (kind != Link::Kind::kAdaptive) continue;
    llama_sampler* adaptive = links_.back().step.get();
    const auto draw = [adaptive](size_t size) {
      llama_token_data candidates[] = {{0, 0.0F, 0.0F}, {1, 0.0F, 0.0F}};
      llama_token_data_array array{candidates, size, -1, false};
      llama_sampler_apply(adaptive, &array);
      llama_sampler_accept(adaptive, kNoToken);
    };
    llama_sampler_accept(adaptive, kNoToken);
    for (uint64_t i = 0; i < draws_.of_one; ++i)
      draw(1);
    for (uint64_t i = 0; i < draws_.of_many; ++i)
      draw(2);
  }
}

void Sampler::accept_prompt(const Tokens& prompt) {
  const size_t start = prompt.size() - std::min(prompt.size(), looks_back_);
  for (size_t i = start; i < prompt.size(); ++i)
    accept(prompt[i]);
}

void Sampler::accept(llama_token token) {
  if (looks_back_ == 0) return;
  recent_.push(token);
  for (const auto& [kind, step] : links_) {
    if (kind == Link::Kind::kLooksBack) llama_sampler_accept(step.get(), token);
  }
}

llama_token Sampler::sample(const float* logits) {
  const llama_token token = choose(logits);
  if (grammar_) {
    // The infill step may replace everything that was allowed by the end of the text.
    if (infills_ && !grammar_->allows(token)) throw_nothing_left();
  }
  remember(token);
  return token;
}

void Sampler::forced(int32_t most, Tokens& tokens) {
  tokens.clear();
  if (grammar_) grammar_->forced(most, tokens);
}

bool Sampler::take(llama_token token) {
  if (grammar_ && !grammar_->allows(token)) return false;
  remember(token);
  return true;
}

void Sampler::thinks() {
  if (grammar_) grammar_->thinks();
}

void Sampler::answers(size_t behind) {
  if (grammar_) grammar_->answers(behind);
}

void Sampler::remember(llama_token token) {
  if (grammar_) grammar_->accept(token);
  for (const auto& [kind, step] : links_) {
    if (kind == Link::Kind::kAdaptive) llama_sampler_accept(step.get(), token);
  }
  accept(token);
}

llama_token Sampler::choose(const float* logits) {
  scan_.read(logits, vocabulary_.size());
  if (!scan_.usable()) throw_nothing_left();
  if (front_.cut() == Cut::kGreedy &&
      (front_.length() == 0 || (front_.length() == 1 && front_.grammar()))) {
    const llama_token token = scan_.argmax();
    if (!grammar_ || grammar_->allows(token)) return token;
  }
  if (shortlist(logits)) {
    const bool sorted = front_.cut() != Cut::kMinP;
    return run({candidates_.data(), candidates_.size(), -1, sorted}, front_.length());
  }
  const auto count = static_cast<size_t>(vocabulary_.size());
  candidates_.resize(count);
  for (size_t i = 0; i < count; ++i)
    candidates_[i] = {static_cast<llama_token>(i), logits[i], 0.0F};
  return run({candidates_.data(), count, -1, false}, 0);
}

// Leaves in candidates_ exactly what the step after the front would keep of the whole vocabulary.
// False if that cannot be known from few candidates.
bool Sampler::shortlist(const float* logits) {
  if (front_.cut() == Cut::kNone || !front_.changed(recent_, changed_)) return false;
  int32_t count = front_.limit() + 1 + static_cast<int32_t>(changed_.size());
  if (front_.grammar() || front_.cut() == Cut::kMinP) count = std::max(count, kFirstAsked);
  while (true) {
    const bool complete = list(logits, count);
    // No unlisted candidate is above it.
    const float border = complete ? kMinusInfinity : front_.pass(candidates_[count - 1].logit);
    apply_front();
    if (front_.grammar()) {
      llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
      grammar_->filter(array);
    }
    if (border == kMinusInfinity || holds_all_kept(border)) return keep();
    if (!front_.grammar() && front_.cut() != Cut::kMinP) return false;  // equals at the border
    const auto above = std::count_if(candidates_.begin(), candidates_.end(),
                                     [border](const auto& c) { return c.logit > border; });
    if (count >= kMostAsked || above == 0 || above * 4 < front_.limit()) break;
    count *= 4;
  }
  if (!front_.grammar()) return false;
  list_allowed(logits);
  apply_front();
  return keep();
}

// Whether everything that the step after the front keeps is above the border.
bool Sampler::holds_all_kept(float border) const {
  if (front_.cut() == Cut::kMinP) return least_likely(candidates_, front_.min_p()) > border;
  return std::count_if(candidates_.begin(), candidates_.end(),
                       [border](const auto& c) { return c.logit > border; }) >= front_.limit();
}

// Lists the model's `count` likeliest tokens, and all whose logits the front may change. True if
// that is the whole vocabulary.
bool Sampler::list(const float* logits, int32_t count) {
  scan_.largest(count, candidates_);
  const llama_token_data last = candidates_.back();
  for (const llama_token token : changed_) {
    const llama_token_data candidate{token, logits[token], 0.0F};
    if (likelier(last, candidate)) candidates_.push_back(candidate);
  }
  return static_cast<int32_t>(candidates_.size()) == vocabulary_.size();
}

// Lists everything that the grammar allows. Since some steps depend on the number of candidates, it
// is filled up with forbidden ones to as many as the step after the front would keep.
void Sampler::list_allowed(const float* logits) {
  candidates_.clear();
  const Tokens& allowed = grammar_->allowed();
  for (const llama_token token : allowed)
    candidates_.push_back({token, logits[token], 0.0F});
  if (front_.cut() != Cut::kTopK) return;
  auto next = allowed.begin();
  const int32_t limit = std::min(front_.limit(), vocabulary_.size());
  for (llama_token token = 0; static_cast<int32_t>(candidates_.size()) < limit; ++token) {
    if (next != allowed.end() && *next == token) {
      ++next;
    } else {
      candidates_.push_back({token, kMinusInfinity, 0.0F});
    }
  }
}

void Sampler::apply_front() {
  llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
  for (size_t i = 0; i < front_.length(); ++i) {
    if (links_[i].step) llama_sampler_apply(links_[i].step.get(), &array);
  }
  const bool numbers = std::none_of(candidates_.begin(), candidates_.end(),
                                    [](const auto& c) { return std::isnan(c.logit); });
  if (!numbers) throw_nothing_left();
}

// Applies the step after the front to candidates_, which certainly hold all that it keeps.
bool Sampler::keep() {
  const bool some = std::any_of(candidates_.begin(), candidates_.end(),
                                [](const auto& c) { return c.logit > kMinusInfinity; });
  if (!some) throw_nothing_left();
  return front_.cut() == Cut::kMinP ? keep_min_p() : keep_top_k();
}

// False if llama.cpp's sort decides between equals.
bool Sampler::keep_top_k() {
  const auto limit = std::min(candidates_.size(), static_cast<size_t>(front_.limit()));
  const auto sorted = candidates_.begin() + std::min(candidates_.size(), limit + 1);
  std::partial_sort(candidates_.begin(), sorted, candidates_.end(), likelier);
  if (front_.cut() == Cut::kTopK) {
    const auto equals =
        std::adjacent_find(candidates_.begin(), sorted, [](const auto& a, const auto& b) {
          return a.logit == b.logit && a.logit > kMinusInfinity;
        });
    if (equals != sorted) return false;
  }
  candidates_.resize(limit);
  return true;
}

// False if too few are left: then llama.cpp sorts.
bool Sampler::keep_min_p() {
  const float least = least_likely(candidates_, front_.min_p());
  const auto end = std::remove_if(candidates_.begin(), candidates_.end(),
                                  [least](const auto& c) { return c.logit < least; });
  candidates_.erase(end, candidates_.end());
  std::sort(candidates_.begin(), candidates_.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return candidates_.size() >= front_.min_keep();
}

llama_token Sampler::run(llama_token_data_array array, size_t from) {
  for (size_t i = from; i < links_.size(); ++i) {
    const auto& [kind, step] = links_[i];
    if (kind == Link::Kind::kGrammar) {
      filter(array);
      continue;
    }
    try {
      llama_sampler_apply(step.get(), &array);
    } catch (const std::length_error&) {  // of the infill step, for texts above 512 bytes
      throw Error(code::kUnsupported,
                  "The sampler step \"infill\" cannot work with a token as long as one of this "
                  "model's.");
    }
    if (kind == Link::Kind::kAdaptive) ++(array.size == 1 ? draws_.of_one : draws_.of_many);
  }
  const bool selected = array.selected >= 0 && array.selected < static_cast<int64_t>(array.size);
  if (!selected) throw_nothing_left();
  const llama_token_data& chosen = array.data[array.selected];
  if (!std::isfinite(chosen.logit) || std::isnan(chosen.p)) throw_nothing_left();
  return chosen.id;
}

void Sampler::filter(llama_token_data_array& array) {
  if (!grammar_->awake()) return;
  grammar_->filter(array);
  const bool some = std::any_of(array.data, array.data + array.size,
                                [](const auto& c) { return c.logit > kMinusInfinity; });
  if (!some) throw_nothing_left();
  // In a sorted array steps take the first candidate for the likeliest: llama.cpp would compute
  // with infinity.
  if (!(array.data[0].logit > kMinusInfinity)) array.sorted = false;
}

}  // namespace cria
