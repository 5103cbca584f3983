// The sequences that are driven by hand, by the numbers that JS knows them by, and what is asked of
// them. The context's thread alone, unless it says otherwise.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "core/engine/scheduler.h"
#include "core/engine/sequence.h"
#include "core/engine/state_file.h"
#include "core/model/model.h"
#include "core/request/command.h"
#include "core/request/outbox.h"

namespace cria {

// A command with what another thread has prepared for it.
struct PreparedCommand {
  std::shared_ptr<Command> command;
  Tokens tokens;    // of an Evaluate's prompt
  StateFile state;  // of a Restore
};

class Sequences {
 public:
  // `write` carries out a save on another thread.
  using Write = std::function<void(RequestId id, std::string path, StateFile state)>;

  Sequences(const Model& model, Scheduler& scheduler, Outbox& outbox, int32_t context_size,
            uint64_t fingerprint, Write write);

  // Any thread. Throws what is wrong with it.
  PreparedCommand prepare(std::shared_ptr<Command> command) const;

  // Tells the outbox, at once or when what it takes is evaluated.
  void execute(PreparedCommand command);

 private:
  struct Executor;

  std::shared_ptr<Sequence> find(SequenceId id) const;
  SequenceId add(std::shared_ptr<Sequence> sequence);
  Slot take_slot();
  void evaluate(const std::shared_ptr<Command>& command, std::shared_ptr<Sequence> sequence,
                const Tokens& more, Evaluation::Complete complete);
  void with_logits(const std::shared_ptr<Command>& command, std::shared_ptr<Sequence> sequence,
                   Evaluation::Complete complete);

  const Model& model_;
  Scheduler& scheduler_;
  Outbox& outbox_;
  const int32_t context_size_;
  const uint64_t fingerprint_;
  const Write write_;
  std::unordered_map<SequenceId, std::shared_ptr<Sequence>> sequences_;
  SequenceId next_ = 1;
};

}  // namespace cria
