// Who guesses what comes behind a text: a smaller model, or a head on the model itself. One thread
// at a time.
#pragma once

#include <cstdint>

#include "core/model/vocabulary.h"

namespace cria {

class Drafter {
 public:
  virtual ~Drafter() = default;

  // Writes to `proposal` up to `most` tokens that may follow `tokens`; empty where it has nothing
  // to say. Throws AssertionError where ggml does; what else goes wrong ends all its guesses.
  virtual void propose(const Tokens& tokens, int32_t most, Tokens& proposal) = 0;

  // The context that it evaluates in.
  virtual llama_context* context() const = 0;

  // For a device that was lost: leaks the context.
  virtual void abandon() = 0;
};

}  // namespace cria
