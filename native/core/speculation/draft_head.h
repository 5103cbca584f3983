// A head on a model, EAGLE-3 or MTP: it guesses the next token from the token before it and from
// what the model computed on the way to that one, and goes on from its own rows. It has a context
// of its own, with a stream for each of the model's slots, and follows the text that runs alone:
// what several evaluate together passes it by. One thread at a time.
//
//   the model evaluates  t0  t1  t2        and leaves rows   r0  r1  r2
//   pairs for the head   (t1, r0) (t2, r1) (t3, r2)   the last one when t3 is chosen
//
// What it missed is a gap: it guesses worse there, and nothing else. Its positions are those of its
// own pairs, which have none.
#pragma once

#include <llama.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/model/model.h"
#include "core/model/model_outline.h"
#include "core/model/token_batch.h"
#include "core/sampling/logit_scan.h"
#include "core/speculation/drafter.h"
#include "core/speculation/hidden_rows.h"

namespace cria {

class DraftHead : public Drafter {
 public:
  // `model`: whose weights the head's are, or an EAGLE-3 head's file. `context`: of these weights,
  // with `streams` caches that each hold all pairs of a text and a draft. `rows`: of the model that
  // it guesses for. `encodes`: EAGLE-3, whose rows are first projected.
  DraftHead(std::shared_ptr<const Model> model, LlamaContext context, HiddenRows rows,
            int32_t streams, bool encodes);

  llama_context* context() const override { return context_.get(); }
  void abandon() override { leave_behind(std::move(context_)); }

  // Evaluates a pair of zeros, so that what ggml cannot compute of the head is known. Throws.
  void try_out();

  // The model has evaluated by itself, in `slot`, the tokens from `begin` to `end`, and a draft
  // behind them: the last batch has their rows.
  void follow(int32_t slot, const Tokens& tokens, int32_t begin, int32_t end, const Tokens& draft);

  // What may come behind the text that it followed last.
  void propose(const Tokens& tokens, int32_t most, Tokens& proposal) override;

 private:
  struct Stream {
    Tokens text;                         // as far as rows of it were seen
    std::vector<int32_t> pairs;          // evaluated: the index in the text of the row of each
    llama_token tip = LLAMA_TOKEN_NULL;  // of the pair that a guess began with, which may be gone
    std::vector<float> rows;             // of the last tokens of the text
    int32_t first = 0;                   // the token of the first one
  };

  int32_t held(const Stream& stream) const;
  void cut(int32_t slot, int32_t length);
  void forget_pairs(int32_t slot, size_t count);
  bool catch_up(int32_t slot, const Tokens& tokens, int32_t end);
  bool evaluate_pairs(int32_t slot, const Tokens& tokens, int32_t begin, int32_t count);
  bool encode(float* rows, int32_t count);
  bool decode(bool output);
  bool begin_draft(const Tokens& tokens);
  void go_on(int32_t most, Tokens& proposal);
  llama_token likeliest();

  const std::shared_ptr<const Model> model_;
  LlamaContext context_;
  const HiddenRows rows_;
  const bool encodes_;
  const int32_t piece_;  // the most pairs of one evaluation
  const int32_t width_;  // of its own rows
  std::vector<Stream> streams_;
  int32_t followed_ = 0;  // the slot
  TokenBatch batch_;
  std::vector<float> inputs_;  // of the batch's rows
  LogitScan scan_;
  bool works_ = true;
};

}  // namespace cria
