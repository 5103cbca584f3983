#include "core/sampling/logit_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "core/model/cpu_level.h"

namespace cria {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A group is one lane through the rows of one chunk, so that the pass yields its maximum without a
// reduction.
constexpr int32_t kLanes = kLogitLanes;
constexpr int32_t kRows = 64;
constexpr int32_t kChunk = kLanes * kRows;

}  // namespace

void LogitScan::read(const float* logits, int32_t count) {
  logits_ = logits;
  count_ = count;
  const int32_t chunks = (count + kChunk - 1) / kChunk;
  maxima_.resize(static_cast<size_t>(chunks) * kLanes);
  std::array<float, kLanes> sums{};
  const auto read_rows = cpu_level().logits->read_rows;
  for (int32_t chunk = 0; chunk < chunks; ++chunk) {
    const int32_t start = chunk * kChunk;
    const int32_t rows = std::min(kRows, (count - start) / kLanes);
    float* maxima = maxima_.data() + static_cast<size_t>(chunk) * kLanes;
    read_rows(logits + start, rows, maxima, sums.data());
    if (rows == kRows) continue;
    for (int32_t i = start + rows * kLanes; i < count; ++i) {
      float& best = maxima[i % kLanes];
      best = logits[i] > best ? logits[i] : best;
      sums[i % kLanes] += logits[i];
    }
  }

  max_ = maxima_.empty() ? -kInfinity : *std::max_element(maxima_.begin(), maxima_.end());
  usable_ = max_ > -kInfinity && max_ < kInfinity;
  // A NaN makes a sum NaN. So may very large numbers, hence the second look.
  const bool suspect =
      std::any_of(sums.begin(), sums.end(), [](float sum) { return std::isnan(sum); });
  if (suspect && std::any_of(logits, logits + count, [](float x) { return std::isnan(x); })) {
    usable_ = false;
  }
}

llama_token LogitScan::argmax() const {
  // The groups of a chunk are interleaved: the first among equals may be in any of them.
  const auto group = std::find(maxima_.begin(), maxima_.end(), max_) - maxima_.begin();
  const float* start = logits_ + group / kLanes * kChunk;
  return static_cast<llama_token>(std::find(start, logits_ + count_, max_) - logits_);
}

// A threshold that at least `count` logits reach: each of so many groups has one.
float LogitScan::threshold_of(int32_t count) const {
  if (count == 1) return max_;
  if (static_cast<size_t>(count) > maxima_.size()) return -kInfinity;
  scratch_ = maxima_;
  const auto nth = scratch_.begin() + (count - 1);
  std::nth_element(scratch_.begin(), nth, scratch_.end(), std::greater<>());
  return *nth;
}

void LogitScan::largest(int32_t count, std::vector<llama_token_data>& result) const {
  result.clear();
  count = std::min(count, count_);
  if (count <= 0) return;
  const float threshold = threshold_of(count);
  for (size_t group = 0; group < maxima_.size(); ++group) {
    if (maxima_[group] < threshold) continue;
    const auto chunk = static_cast<int32_t>(group / kLanes) * kChunk;
    const int32_t end = std::min(count_, chunk + kChunk);
    for (int32_t i = chunk + static_cast<int32_t>(group % kLanes); i < end; i += kLanes) {
      if (logits_[i] >= threshold) result.push_back({i, logits_[i], 0.0F});
    }
  }
  const auto end = result.begin() + count;
  if (end < result.end()) std::nth_element(result.begin(), end - 1, result.end(), likelier);
  std::sort(result.begin(), end, likelier);
  result.resize(static_cast<size_t>(count));
}

}  // namespace cria
