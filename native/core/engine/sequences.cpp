#include "core/engine/sequences.h"

#include <string>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/hash.h"

namespace cria {

namespace {

Answer with_tokens(const Tokens& tokens) {
  Answer answer;
  answer.tokens = tokens;
  return answer;
}

}  // namespace

Sequences::Sequences(const Model& model, Scheduler& scheduler, Outbox& outbox, int32_t context_size,
                     uint64_t fingerprint, Write write)
    : model_(model),
      scheduler_(scheduler),
      outbox_(outbox),
      context_size_(context_size),
      fingerprint_(fingerprint),
      write_(std::move(write)) {}

PreparedCommand Sequences::prepare(std::shared_ptr<Command> command,
                                   const std::function<bool()>& goes_on) const {
  PreparedCommand prepared;
  if (const auto* evaluate = std::get_if<command::Evaluate>(&command->what)) {
    prepared.tokens = tokenize(model_.vocabulary(), evaluate->prompt);
  } else if (const auto* create = std::get_if<command::Create>(&command->what)) {
    check_adapters(*create->adapters, model_);
    for (const AdapterSet::Part& part : create->adapters->parts()) {
      if (part.adapter->invocation().empty()) continue;
      throw Error(code::kUnsupported,
                  "Expected no activated LoRA in `adapters`: only a generation looks for its "
                  "invocation.");
    }
    if (create->cached) prepared.tokens = tokenize(model_.vocabulary(), *create->cached);
  } else if (const auto* restore = std::get_if<command::Restore>(&command->what)) {
    prepared.state =
        read_state_file(restore->path, fingerprint(*restore->adapters), {context_size_, goes_on});
    for (const llama_token token : prepared.state.tokens)
      model_.vocabulary().check(token);
  }
  prepared.command = std::move(command);
  return prepared;
}

// One overload for each command. It returns the answer, or nothing if that comes later.
struct Sequences::Executor {
  Sequences& self;
  PreparedCommand& prepared;

  // Scores, embeddings and ranks are tasks: Context::prepare() makes those.
  template <typename Other>
  std::optional<Answer> operator()(const Other&) const {
    throw Error(code::kInternal, "This command is not for a sequence.");
  }

  std::optional<Answer> operator()(const command::Create& create) const {
    const Slot slot = self.take_slot(*create.adapters, prepared.tokens);
    auto sequence = std::make_shared<Sequence>(self.model_.vocabulary(), self.scheduler_.cache(),
                                               slot, create.adapters);
    Answer answer;
    answer.sequence = self.add(std::move(sequence));
    return answer;
  }

  std::optional<Answer> operator()(const command::Fork& fork) const {
    const auto original = self.find(fork.sequence);
    Answer answer;
    answer.sequence =
        self.add(std::make_shared<Sequence>(*original, self.take_slot(*original->adapters())));
    return answer;
  }

  std::optional<Answer> operator()(const command::Evaluate& evaluate) const {
    self.evaluate(prepared.command, self.find(evaluate.sequence), prepared.tokens,
                  [](Sequence& sequence) { return with_tokens(sequence.tokens()); });
    return std::nullopt;
  }

  std::optional<Answer> operator()(const command::Logits& logits) const {
    self.with_logits(prepared.command, self.find(logits.sequence), [](Sequence& sequence) {
      Answer answer;
      answer.values = sequence.logits();
      return answer;
    });
    return std::nullopt;
  }

  std::optional<Answer> operator()(const command::Sample& sample) const {
    self.with_logits(prepared.command, self.find(sample.sequence),
                     [&sample, keep = prepared.command](Sequence& sequence) {
                       Answer answer;
                       answer.token = sequence.sample(sample);
                       return answer;
                     });
    return std::nullopt;
  }

  std::optional<Answer> operator()(const command::Trim& trim) const {
    const auto sequence = self.find(trim.sequence);
    const auto length = static_cast<int32_t>(sequence->tokens().size());
    if (trim.length < 0 || trim.length > length) {
      throw Error(code::kInvalidArgument, "Expected a length up to " + std::to_string(length) +
                                              ", got " + std::to_string(trim.length) + ".");
    }
    sequence->trim(trim.length);
    return Answer{};
  }

  std::optional<Answer> operator()(const command::Save& save) const {
    const auto sequence = self.find(save.sequence);
    sequence->undo();
    StateFile file{self.fingerprint(*sequence->adapters()), sequence->tokens(), sequence->state()};
    if (file.state.empty() && !file.tokens.empty()) {
      throw Error(code::kOutOfMemory, "There is no memory for the state of the sequence.");
    }
    self.write_(prepared.command->id, save.path, std::move(file));
    return std::nullopt;
  }

  std::optional<Answer> operator()(const command::Restore& restore) const {
    const auto sequence = self.find(restore.sequence);
    const Tokens& tokens = prepared.state.tokens;
    sequence->restore(tokens, prepared.state.state);
    return with_tokens(sequence->tokens());
  }

  std::optional<Answer> operator()(const command::Dispose& dispose) const {
    const auto found = self.sequences_.find(dispose.sequence);
    if (found == self.sequences_.end()) return Answer{};
    // A running evaluation keeps it alive until it has ended.
    if (found->second->running) found->second->running->cancelled.store(true);
    self.sequences_.erase(found);
    return Answer{};
  }
};

void Sequences::execute(PreparedCommand prepared) {
  const RequestId id = prepared.command->id;
  try {
    if (prepared.command->cancelled.load()) {
      outbox_.cancelled(id);
    } else {
      std::optional<Answer> answer = std::visit(Executor{*this, prepared}, prepared.command->what);
      if (answer) outbox_.answer(id, *std::move(answer));
    }
  } catch (const backend::AssertionError&) {
    throw;  // the cache is in an unknown state
  } catch (const std::exception&) {
    outbox_.fail(id, current_failure());
  }
  outbox_.flush();
}

std::shared_ptr<Sequence> Sequences::find(SequenceId id) const {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) throw Error(code::kDisposed, "The sequence is disposed.");
  if (found->second->running) {
    throw Error(code::kInternal, "The sequence is busy: lib/context/sequence.ts must wait.");
  }
  return found->second;
}

SequenceId Sequences::add(std::shared_ptr<Sequence> sequence) {
  sequences_.emplace(next_, std::move(sequence));
  return next_++;
}

uint64_t Sequences::fingerprint(const AdapterSet& adapters) const {
  const std::string text = adapters.identity();
  return hash(text.data(), text.size(), fingerprint_);
}

// `cached`: what the slot is taken for. It holds as much of that as is cached, or nothing.
Slot Sequences::take_slot(const AdapterSet& adapters, const Tokens& cached) {
  Cache& cache = scheduler_.cache();
  const AdaptationKey key{adapters.key(), adapters.key(), 0};
  // The last token is left to evaluate, so that there are logits.
  const int32_t most = static_cast<int32_t>(cached.size()) - 1;
  const std::optional<Slot> slot = cached.empty()
                                       ? cache.take_highest(key)
                                       : cache.take({cached, most, Reuse::kAny, kNoCuts, key}, 0);
  if (slot) return *slot;
  throw Error(code::kContextFull,
              "All " + std::to_string(scheduler_.cache().size()) +
                  " sequences of the context are in use. Dispose one, wait for a generation to "
                  "end, or create the context with more `sequences`.");
}

void Sequences::evaluate(const std::shared_ptr<Command>& command,
                         std::shared_ptr<Sequence> sequence, const Tokens& more,
                         Evaluation::Complete complete) {
  const size_t length = sequence->tokens().size() + more.size();
  if (static_cast<int64_t>(length) > context_size_) {
    throw Error(code::kContextFull,
                "The sequence would have " + std::to_string(length) + " tokens, more than the " +
                    std::to_string(context_size_) +
                    " that one can hold. Trim it, or create the context with a larger "
                    "`contextSize`.");
  }
  scheduler_.add(std::make_unique<Evaluation>(command, std::move(sequence), more,
                                              model_.vocabulary().size(), std::move(complete)));
}

void Sequences::with_logits(const std::shared_ptr<Command>& command,
                            std::shared_ptr<Sequence> sequence, Evaluation::Complete complete) {
  if (sequence->tokens().empty()) {
    throw Error(code::kInvalidArgument,
                "Expected a sequence with at least one token: evaluate a prompt first.");
  }
  if (sequence->logits().empty()) {
    evaluate(command, std::move(sequence), {}, std::move(complete));
  } else {
    outbox_.answer(command->id, complete(*sequence));
  }
}

}  // namespace cria
