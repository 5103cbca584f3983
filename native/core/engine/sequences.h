// The sequences that are driven by hand, under the ids that JS knows them by, and the commands for
// them. The context's thread only, except prepare().
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

// A command, and what another thread has prepared for it.
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

  // Any thread. Throws if the command is invalid.
  // Once `goes_on` returns false, what there is so far is enough.
  PreparedCommand prepare(std::shared_ptr<Command> command,
                          const std::function<bool()>& goes_on = {}) const;

  // Answers in the outbox: at once, or when the tokens that it needs are evaluated.
  void execute(PreparedCommand command);

 private:
  struct Executor;

  std::shared_ptr<Sequence> find(SequenceId id) const;
  SequenceId add(std::shared_ptr<Sequence> sequence);
  Slot take_slot(const AdapterSet& adapters, const Tokens& cached = kNoTokens);
  uint64_t fingerprint(const AdapterSet& adapters) const;
  void evaluate(const std::shared_ptr<Command>& command, std::shared_ptr<Sequence> sequence,
                const Tokens& more, Evaluation::Complete complete);
  void with_logits(const std::shared_ptr<Command>& command, std::shared_ptr<Sequence> sequence,
                   Evaluation::Complete complete);

  const Model& model_;
  Scheduler& scheduler_;
  Outbox& outbox_;
  const int32_t context_size_;
  const uint64_t fingerprint_;  // of the context
  const Write write_;
  std::unordered_map<SequenceId, std::shared_ptr<Sequence>> sequences_;
  SequenceId next_ = 1;
};

}  // namespace cria
