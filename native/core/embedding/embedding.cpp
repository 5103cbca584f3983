#include "core/embedding/embedding.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model/error.h"

namespace cria {

namespace {

void normalize(float* row, int32_t width) {
  double squares = 0;
  for (int32_t i = 0; i < width; ++i)
    squares += static_cast<double>(row[i]) * row[i];
  const double length = std::sqrt(squares);
  for (int32_t i = 0; length > 0 && i < width; ++i)
    row[i] = static_cast<float>(row[i] / length);
}

}  // namespace

Embedding::Embedding(std::shared_ptr<const Command> command, Tokens tokens, Pooling pooling)
    : command_(std::move(command)), tokens_(std::move(tokens)), pooling_(pooling) {}

bool Embedding::wants(int32_t position) const {
  if (pooling_ == LLAMA_POOLING_TYPE_CLS) return position == 0;
  if (pooling_ == LLAMA_POOLING_TYPE_LAST) return position == length() - 1;
  return true;
}

void Embedding::take(const float* rows, int32_t count, int32_t width) {
  width_ = width;
  const auto size = static_cast<size_t>(width);
  for (int32_t i = 0; i < count; ++i) {
    if (!wants(evaluated_ + i)) continue;
    if (pooling_ == LLAMA_POOLING_TYPE_MEAN) {
      sum_.resize(size);
      for (size_t j = 0; j < size; ++j)
        sum_[j] += rows[j];
    } else {
      values_.insert(values_.end(), rows, rows + size);
    }
    rows += size;
  }
  evaluated_ += count;
}

void Embedding::take_pooled(const float* vector, int32_t width) {
  width_ = width;
  values_.assign(vector, vector + width);
  sum_.clear();
  evaluated_ = length();
}

void Embedding::finish(Outbox& outbox) {
  for (const double sum : sum_)
    values_.push_back(static_cast<float>(sum / length()));
  const bool finite =
      std::all_of(values_.begin(), values_.end(), [](float value) { return std::isfinite(value); });
  if (!finite) throw Error(code::kDecodeFailed, "The model's output is not finite.");

  Answer answer;
  answer.count = length();
  const auto* embed = std::get_if<command::Embed>(&command_->what);
  if (embed != nullptr && embed->normalize) {
    for (size_t row = 0; row < values_.size(); row += static_cast<size_t>(width_))
      normalize(values_.data() + row, width_);
  }
  answer.values = std::move(values_);
  outbox.answer(id(), std::move(answer));
}

}  // namespace cria
