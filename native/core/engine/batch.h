// What one llama_decode evaluates: the next few tokens of each of several tasks.
#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/engine/task.h"
#include "core/media/media_rows.h"
#include "core/model/token_batch.h"

namespace cria {

class Batch {
 public:
  struct Share {
    Task* task;
    int32_t count;
    int32_t output;   // index in the batch of the first row whose logits are wanted
    int32_t outputs;  // how many are, from that one to the last of `count`; 0: none
    int32_t drafted;  // rows of a draft after them, whose logits are wanted, too
  };

  // `capacity`: the most tokens it will ever hold.
  explicit Batch(int32_t capacity);

  void clear();
  // Adds the next `count` tokens of the task. All tasks are evaluated with the same adapters. Rows
  // of media have to be alone in the batch.
  void add(Task& task, int32_t count);

  // Adds what may follow the task that was added last, with its next token.
  void add_draft(const Tokens& draft);

  // Rows whose logits are wanted.
  int32_t outputs() const;
  bool has_drafts() const { return has_drafts_; }
  llama_token token(int32_t row) const { return rows_.token(row); }
  bool empty() const { return shares_.empty(); }
  int32_t size() const { return media_ ? shares_.front().count : rows_.size(); }
  // Whether its rows attend to those behind them, too.
  bool non_causal() const { return media_ && media_->non_causal; }
  const std::vector<Share>& shares() const { return shares_; }

  // As llama.cpp wants it; valid until the next change.
  llama_batch view() { return media_ ? media_rows_.view() : rows_.view(); }

 private:
  void add_media(Task& task, const MediaSpan& span, int32_t count);

  TokenBatch rows_;
  MediaRows media_rows_;
  std::shared_ptr<const MediaChunk> media_;  // what these are of; null: it has tokens
  std::vector<Share> shares_;
  bool has_drafts_ = false;
};

}  // namespace cria
