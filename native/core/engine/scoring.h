// A task that computes how likely each of some tokens is after a prompt, and after beginnings of
// it. It generates nothing.
#pragma once

#include <memory>
#include <vector>

#include "core/engine/task.h"
#include "core/request/command.h"

namespace cria {

class Scoring : public Task {
 public:
  // `command` is a command::Score, `prompt` the one in it.
  Scoring(const Vocabulary& vocabulary, const std::shared_ptr<const Command>& command,
          PreparedPrompt prompt, bool checkpoints);

  Reuse reuse() const override { return score().reuse; }
  int32_t first_output() const override;
  bool step(const float* logits, int32_t context_size, Outbox& outbox) override;
  void cancel(Outbox& outbox) override { outbox.cancelled(id()); }

 private:
  const command::Score& score() const { return std::get<command::Score>(command_->what); }

  const int32_t vocabulary_size_;
  const std::shared_ptr<const Command> command_;
  // Of the first so many of the command's counts. They stay when the task loses its slot.
  size_t scored_ = 0;
  std::vector<float> values_;
};

}  // namespace cria
