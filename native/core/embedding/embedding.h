// A text to embed or rank: its tokens, and the result as far as it is known. It may be evaluated in
// pieces. Made on any thread, then used by the context's thread only.
#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "core/model/vocabulary.h"
#include "core/request/command.h"
#include "core/request/context_options.h"
#include "core/request/outbox.h"

namespace cria {

class Embedding {
 public:
  Embedding(std::shared_ptr<const Command> command, Tokens tokens, Pooling pooling);

  RequestId id() const { return command_->id; }
  bool cancelled() const { return command_->cancelled.load(std::memory_order_relaxed); }

  const Tokens& tokens() const { return tokens_; }
  int32_t length() const { return static_cast<int32_t>(tokens_.size()); }
  int32_t evaluated() const { return evaluated_; }
  int32_t pending() const { return length() - evaluated_; }

  // Whether the pooling needs the row of this token.
  bool wants(int32_t position) const;

  // The next `count` tokens are evaluated; `rows` are those that the pooling needs, in order.
  void take(const float* rows, int32_t count, int32_t width);

  // All tokens are evaluated, and llama.cpp has pooled.
  void take_pooled(const float* vector, int32_t width);

  // Answers with the result. Throws if that is not finite.
  void finish(Outbox& outbox);
  void cancel(Outbox& outbox) const { outbox.cancelled(id()); }

 private:
  const std::shared_ptr<const Command> command_;
  const Tokens tokens_;
  const Pooling pooling_;
  int32_t evaluated_ = 0;
  int32_t width_ = 0;
  std::vector<float> values_;  // a row, or one for each token
  std::vector<double> sum_;    // of a mean
};

}  // namespace cria
