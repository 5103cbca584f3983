// Finds the likeliest tokens of a row of logits. One pass over the row leaves the maxima of small
// groups; after that, only a few groups have to be read again for any number of the largest logits.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

// One thread at a time; its buffers are reused from row to row.
class LogitScan {
 public:
  // `logits` has to stay valid until the next read().
  void read(const float* logits, int32_t count);

  // Every logit is a number below infinity, and at least one is above minus infinity. Otherwise
  // there is nothing to choose from, and the functions below must not be called.
  bool usable() const { return usable_; }

  float max() const { return max_; }

  // The first one among equals.
  llama_token argmax() const;

  // The `count` largest, or all if there are fewer: falling, among equals the lower id first.
  void largest(int32_t count, std::vector<llama_token_data>& result) const;

 private:
  float threshold_of(int32_t count) const;

  const float* logits_ = nullptr;
  int32_t count_ = 0;
  bool usable_ = false;
  float max_ = 0.0F;
  std::vector<float> maxima_;           // of the groups
  mutable std::vector<float> scratch_;  // of threshold_of()
};

// The order of LogitScan::largest().
inline bool likelier(const llama_token_data& a, const llama_token_data& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

}  // namespace cria
