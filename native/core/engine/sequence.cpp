#include "core/engine/sequence.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"

namespace cria {

namespace {

Tokens joined(const Tokens& one, const Tokens& other) {
  Tokens all = one;
  all.insert(all.end(), other.begin(), other.end());
  return all;
}

}  // namespace

Sequence::Sequence(const Vocabulary& vocabulary, Cache& cache, Slot slot, AdapterSetPtr adapters)
    : vocabulary_(vocabulary), cache_(cache), slot_(slot), adapters_(std::move(adapters)) {}

Sequence::Sequence(const Sequence& other, Slot slot)
    : vocabulary_(other.vocabulary_),
      cache_(other.cache_),
      slot_(slot),
      adapters_(other.adapters_),
      tokens_(other.tokens_),
      logits_(other.logits_),
      chains_(other.chains_) {
  if (cache_.copy(other.slot_, slot_)) return;
  cache_.give_back_empty(slot_);
  throw Error(code::kOutOfMemory, "The sequence's cache could not be copied.");
}

Sequence::~Sequence() { cache_.give_back(slot_); }

void Sequence::evaluated(const Tokens& tokens, const float* logits, int32_t vocabulary_size) {
  tokens_ = tokens;
  logits_.assign(logits, logits + vocabulary_size);
}

void Sequence::undo() {
  const auto length = static_cast<int32_t>(tokens_.size());
  if (cache_.length(slot_) > length) cache_.trim(slot_, length);
}

void Sequence::trim(int32_t length) {
  chains_.clear();
  if (length == static_cast<int32_t>(tokens_.size())) return;
  tokens_.resize(static_cast<size_t>(length));
  logits_.clear();
  undo();
}

void Sequence::restore(const Tokens& tokens, const std::vector<uint8_t>& state) {
  if (!cache_.restore(slot_, tokens, state)) {
    throw Error(code::kStateInvalid,
                "llama.cpp does not take the state in this file, or the cache has no cells left "
                "for it.");
  }
  tokens_ = tokens;
  logits_.clear();
  chains_.clear();
}

llama_token Sequence::sample(const command::Sample& sample) {
  auto found = chains_.find(sample.sampler);
  if (found == chains_.end()) {
    Chain fresh{Sampler(vocabulary_, sample.steps, sample.seed)};
    found = chains_.emplace(sample.sampler, std::move(fresh)).first;
  }
  Chain& chain = found->second;
  try {
    const backend::AbortGuard guard;  // an assertion here is the chain's, not the context's
    catch_up(chain);
    chain.chosen = chain.sampler.sample(logits_.data());
    return chain.chosen;
  } catch (const backend::AssertionError& error) {
    chains_.erase(found);
    throw Error(error.code(), error.what());
  }
}

// A chain knows the token that it chose itself. All others it has to be told.
void Sequence::catch_up(Chain& chain) const {
  for (; chain.seen < tokens_.size(); ++chain.seen) {
    const llama_token token = tokens_[chain.seen];
    if (token != chain.chosen) chain.sampler.accept(token);
    chain.chosen = LLAMA_TOKEN_NULL;
  }
}

Evaluation::Evaluation(std::shared_ptr<Command> command, std::shared_ptr<Sequence> sequence,
                       const Tokens& more, int32_t vocabulary_size, Complete complete)
    : Task(command, joined(sequence->tokens(), more), sequence->adapters()),
      sequence_(std::move(sequence)),
      more_(static_cast<int32_t>(more.size())),
      vocabulary_size_(vocabulary_size),
      complete_(std::move(complete)) {
  sequence_->running = std::move(command);
  // The last token's logits are wanted, so at least that one is evaluated. A new sequence may have
  // been given a slot that holds the beginning of another prompt.
  Cache& cache = sequence_->cache();
  const Slot slot = sequence_->slot();
  const int32_t known = std::min(common_prefix(cache.tokens(slot), tokens()), length() - 1);
  if (cache.length(slot) > known) cache.trim(slot, known);
  enter(slot, cache.length(slot));
}

Evaluation::~Evaluation() {
  sequence_->running.reset();
  try {
    sequence_->undo();
  } catch (const std::exception&) {
    // A worker is lost, which the next evaluation meets, too. The slot is empty.
  }
}

bool Evaluation::step(const float* logits, int32_t, Outbox& outbox) {
  sequence_->evaluated(tokens(), logits, vocabulary_size_);
  outbox.answer(id(), complete_(*sequence_));
  return true;
}

}  // namespace cria
