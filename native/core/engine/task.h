// What the scheduler evaluates tokens for: a generation, a score, an evaluation of a sequence.
// Prefill and decode are the same thing here: some tokens are not evaluated yet, and once they are,
// step() gets their logits. Made on any thread, then used by the context's thread only.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "core/adapters/adapter_set.h"
#include "core/engine/cache.h"
#include "core/engine/prepared_prompt.h"
#include "core/model/vocabulary.h"
#include "core/request/outbox.h"
#include "core/request/request.h"

namespace cria {

inline const Tokens kNoTokens;

class Task {
 public:
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  RequestId id() const { return order_->id; }
  bool cancelled() const { return order_->cancelled.load(std::memory_order_relaxed); }

  // All tokens, evaluated or not. The first `prompt_length` are the prompt, with numbers in the
  // place of media (media_token.h).
  const Tokens& tokens() const { return tokens_; }
  int32_t length() const { return static_cast<int32_t>(tokens_.size()); }
  int32_t prompt_length() const { return prompt_length_; }
  // What its next token is evaluated with.
  const AdapterSetPtr& adapters() const { return adaptation_.at(evaluated_); }
  // How many of the next tokens are evaluated with the same.
  int32_t evaluated_alike() const;
  const AdaptationKey& adaptation() const { return adaptation_key_; }
  bool has_media() const { return !media_.empty(); }
  // Those that the next rows to evaluate belong to; null if these are tokens.
  const MediaSpan* next_media() const;
  // llama.cpp's position of the token at `index`.
  llama_pos position(int32_t index) const;

  // Where its micro-batches begin and end.
  Borders borders(int32_t micro_batch) const;

  // Whether the next `count` tokens, evaluated by themselves, are so as if nothing were cached: a
  // whole micro-batch, or tiles of it, of so many rows. A tile that begins elsewhere is no matter
  // to attention, but some recurrent layers go from tile to tile.
  bool as_alone(int32_t count, int32_t micro_batch, int32_t tile) const;

  // Whether the cache should be able to come back to where it is now: to the prompt's last cuts,
  // and to the last micro-batch before its end.
  virtual bool at_checkpoint(int32_t micro_batch) const {
    return evaluated_ < prompt_length_ && leaves_checkpoint(evaluated_, micro_batch);
  }
  // The last of these up to `most`; 0: there is none.
  int32_t last_checkpoint(int32_t most, int32_t micro_batch) const;

  // Where they are evaluated, and how many are. Only the scheduler changes this.
  Slot slot() const { return slot_; }
  int32_t evaluated() const { return evaluated_; }
  // Where its own evaluation began: what is before was reused.
  int32_t start() const { return start_; }
  int32_t pending() const { return length() - evaluated_; }
  bool prefilling() const { return evaluated_ < prompt_length_ || pending() > 1; }
  void move_to(Slot slot) { slot_ = slot; }
  void rewind(int32_t evaluated) {
    start_ = std::min(start_, evaluated);
    evaluated_ = evaluated;
  }
  void advance(int32_t count) { evaluated_ += count; }

  // Gets a slot that holds `evaluated` of its tokens; or loses it, and may get another one later.
  virtual void enter(Slot slot, int32_t evaluated) {
    slot_ = slot;
    start_ = evaluated;
    evaluated_ = evaluated;
  }
  void leave() {
    slot_ = kNoSlot;
    evaluated_ = 0;
  }

  // Whether it brings its own slot, which the scheduler then must not give back.
  virtual bool owns_slot() const { return false; }
  virtual Reuse reuse() const { return Reuse::kAny; }
  Lookup lookup() const { return {tokens_, first_output(), reuse(), cuts_, adaptation_key_}; }
  virtual bool reports_progress() const { return false; }
  // How many milliseconds others' prompts may hold it up between two of its tokens. Infinity: they
  // go first, which is fastest for all together.
  virtual double max_pause() const { return kUsualPause; }

  // What may come behind its next token: rows that are evaluated beside it, up to `room`. The
  // scheduler tells how many were evaluated, and of each that it was chosen.
  virtual const Tokens& draft(int32_t /*room*/) { return kNoTokens; }
  // Whether draft() may ever give some.
  virtual bool is_guessed() const { return false; }
  virtual void drafted(int32_t /*proposed*/, int32_t /*accepted*/) {}

  // The first of its tokens whose logits are still wanted, and with it all that come after. It has
  // to be evaluated, whatever is cached.
  virtual int32_t first_output() const { return length() - 1; }
  // Of how many of its next `count` rows they are.
  int32_t outputs_within(int32_t count) const;

  // `logits` are those of the token at first_output(), and all before it are evaluated. True if the
  // task has ended and the outbox has been told. `context_size`: the most tokens it may have.
  virtual bool step(const float* logits, int32_t context_size, Outbox& outbox) = 0;

  // Ends the task in place of step().
  virtual void cancel(Outbox& outbox) = 0;
  virtual void fail(Failure failure, Outbox& outbox) { outbox.fail(id(), std::move(failure)); }
  // There are no cells for its next token although it is alone. False: that is an error.
  virtual bool end_without_room(Outbox&) { return false; }

 protected:
  // One that is cut at no message. `adapters`: without activated ones.
  explicit Task(std::shared_ptr<const Order> order, Tokens tokens,
                const AdapterSetPtr& adapters = no_adapters());
  // `checkpoints`: the cache goes back to checkpoints only.
  Task(std::shared_ptr<const Order> order, PreparedPrompt prompt, const Vocabulary& vocabulary,
       bool checkpoints, const AdapterSetPtr& adapters = no_adapters());

  void add(llama_token token) { tokens_.push_back(token); }

 private:
  bool leaves_checkpoint(int32_t position, int32_t micro_batch) const;

  const std::shared_ptr<const Order> order_;
  Tokens tokens_;
  const int32_t prompt_length_;
  const Adaptation adaptation_;
  const AdaptationKey adaptation_key_;
  const std::vector<MediaSpan> media_;
  const int32_t beside_ = 0;  // how many rows of these take no position of their own
  Cuts media_cuts_;           // where they begin and end: no batch has tokens and embeddings
  Cuts cuts_;                 // with those, and where adapters begin
  bool checkpoints_ = false;  // the cuts are for these
  Slot slot_ = kNoSlot;
  int32_t start_ = 0;
  int32_t evaluated_ = 0;
};

}  // namespace cria
