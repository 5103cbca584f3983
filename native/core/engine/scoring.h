// A task that wants the probabilities of some tokens after a prompt, and generates nothing.
#pragma once

#include <memory>

#include "core/engine/task.h"
#include "core/request/command.h"

namespace cria {

class Scoring : public Task {
 public:
  // Tokenizes the prompt. Throws what is wrong with it. `command` is a command::Score.
  Scoring(const Vocabulary& vocabulary, const std::shared_ptr<const Command>& command);

  Reuse reuse() const override { return score().reuse; }
  bool step(const float* logits, int32_t context_size, Outbox& outbox) override;
  void cancel(Outbox& outbox) override { outbox.cancelled(id()); }

 private:
  const command::Score& score() const { return std::get<command::Score>(command_->what); }

  const int32_t vocabulary_size_;
  const std::shared_ptr<const Command> command_;
};

}  // namespace cria
