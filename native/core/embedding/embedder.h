// Embeds and ranks, in the place of a scheduler: every step packs as many waiting texts as fit into
// one micro-batch, evaluates them together, and tells the outbox. The context's thread only, except
// prepare().
//
//   waiting: [first, maybe in pieces] [whole] [whole] … ──one llama_decode──► outbox
//
// There are two ways. A decoder's rows are read before its head (RowReader) and pooled here, so a
// long text may be evaluated in pieces. All other models, mostly encoders, need a text in one
// micro-batch, and llama.cpp pools.
#pragma once

#include <llama.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/embedding/embedding.h"
#include "core/embedding/embedding_input.h"
#include "core/embedding/row_reader.h"
#include "core/model/model.h"
#include "core/model/token_batch.h"
#include "core/request/context_options.h"
#include "core/request/counters.h"
#include "core/request/outbox.h"

namespace cria {

class Embedder {
 public:
  // Throws ERR_UNSUPPORTED if the model makes no embeddings.
  Embedder(const Model& model, const ContextOptions& options, Outbox& outbox);

  // What its llama_context needs.
  llama_context_params params();

  // Takes the llama_context that was created so, and tries it. False: reading rows does not work
  // with this model, and the llama_context has to be created again, for the other way. Throws
  // ERR_UNSUPPORTED if the model should rank and cannot.
  bool attach(llama_context* context);

  // Any thread: tokenizes the text, and throws if it is invalid.
  std::unique_ptr<Embedding> prepare(const std::shared_ptr<const Command>& command) const;

  void add(std::unique_ptr<Embedding> embedding);

  bool idle() const { return waiting_.empty(); }

  // Ends cancelled texts, then calls llama_decode at most once, whose exceptions pass through.
  void step();

  // Whether most of what is being evaluated is cancelled. On the thread that evaluates.
  bool decoding_in_vain() const;

  // Any thread.
  const Counters& counters() const { return counters_; }

 private:
  struct Share {
    Embedding* embedding;
    llama_seq_id slot;
    int32_t count;  // tokens
    int32_t begin;  // index of its first token in the batch
    int32_t rows;   // how many rows before it are wanted
  };

  bool ranks() const { return options_.pooling == LLAMA_POOLING_TYPE_RANK; }
  int32_t width() const;
  void check_classifier();
  void drop_cancelled();
  void fill();
  void add_share(Embedding& embedding, int32_t count);
  void evaluate();
  int32_t decode();
  void collect();
  void take(const Share& share);
  void forget(const std::vector<const Embedding*>& finished);
  void fail_batch(const Failure& failure);
  void count();

  const Model& model_;
  const ContextOptions options_;
  Outbox& outbox_;
  const std::optional<PairFormat> pairs_;  // if it ranks
  const int32_t longest_;                  // tokens of one text
  llama_context* context_ = nullptr;
  bool reads_rows_;
  RowReader reader_;  // used if it reads rows, or ranks
  bool encodes_ = false;

  // Only the first one may be evaluated in part. The cache then holds its cells and no others.
  std::deque<std::unique_ptr<Embedding>> waiting_;
  std::vector<Share> batch_;
  TokenBatch rows_;
  int32_t wanted_rows_ = 0;

  Counters counters_;
};

}  // namespace cria
