// The steps in front of a chain's first one that drops candidates. If that step keeps the
// likeliest, and those in front change few logits, or all without changing their order, then a few
// candidates certainly include all that it keeps, and the rest of the vocabulary can be ignored.
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/sampling/recent_tokens.h"
#include "core/sampling/sampler_step.h"

namespace cria {

class SamplerFront {
 public:
  explicit SamplerFront(const std::vector<SamplerStep>& steps);

  // How many steps there are; the one after them cuts.
  size_t length() const { return length_; }

  enum class Cut {
    kNone,    // a step that needs all candidates
    kGreedy,  // keeps the likeliest, the first one among equals
    kTopK,    // keeps limit(); among equals, those that llama.cpp's sort prefers
    kMinP,    // keeps what is at least min_p() times as likely as the likeliest, in the given order
  };
  Cut cut() const { return cut_; }
  int32_t limit() const { return limit_; }
  float min_p() const { return min_p_; }
  size_t min_keep() const { return min_keep_; }  // llama.cpp sorts if fewer are kept

  // One of the steps is a grammar.
  bool grammar() const { return grammar_; }

  // How many of the last tokens its steps look back at.
  size_t window() const { return window_; }

  // The tokens whose logits the steps change individually, each once, rising. False if these are
  // too many.
  bool changed(const RecentTokens& recent, Tokens& tokens) const;

  // What the steps turn any other logit into.
  float pass(float logit) const;

 private:
  size_t length_ = 0;
  Cut cut_ = Cut::kNone;
  int32_t limit_ = 1;
  float min_p_ = 0.0F;
  size_t min_keep_ = 0;
  bool grammar_ = false;
  size_t window_ = 0;
  Tokens biased_;
  std::vector<float> temperatures_;
};

}  // namespace cria
