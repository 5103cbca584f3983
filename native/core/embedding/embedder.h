// What a context does that makes vectors of texts: every step packs as many of those that wait as
// fit into one micro-batch, evaluates them together, and tells the outbox. One thread: the
// context's, but for prepare().
//
//   waiting: [first, maybe in pieces] [whole] [whole] … ──one llama_decode──► outbox
//
// There are two ways. A decoder's rows are read before its head (RowReader) and pooled here: a long
// text may come in pieces. Everything else, encoders above all, has its text in one micro-batch,
// and llama.cpp pools.
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
  // Throws ERR_UNSUPPORTED where the model makes no vectors.
  Embedder(const Model& model, const ContextOptions& options, Outbox& outbox);

  // What its context has to be like.
  void configure(llama_context_params& params);

  // The context that was made so. False: it has to be made anew, the other way. Throws
  // ERR_UNSUPPORTED where the model does not rank and is to.
  bool attach(llama_context* context);

  // Any thread: the text's tokens. Throws what is wrong with it.
  std::unique_ptr<Embedding> prepare(const std::shared_ptr<const Command>& command) const;

  void add(std::unique_ptr<Embedding> embedding);

  bool idle() const { return waiting_.empty(); }

  // One llama_decode at most. Ends what was cancelled first. What llama_decode throws leaves it.
  void step();

  // Whether what is being evaluated is, for a good part, no longer wanted. On the thread that
  // evaluates.
  bool decoding_in_vain() const;

  // Any thread.
  const Counters& counters() const { return counters_; }

 private:
  struct Share {
    Embedding* embedding;
    llama_seq_id slot;
    int32_t count;  // tokens
    int32_t begin;  // its first one in the batch
    int32_t rows;   // those before it that are wanted
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
  void fail_batch(const std::string& reason);
  void count();

  const Model& model_;
  const ContextOptions options_;
  Outbox& outbox_;
  const std::optional<PairFormat> pairs_;  // where it ranks
  const int32_t longest_;                  // tokens of one text
  llama_context* context_ = nullptr;
  bool reads_rows_;
  RowReader reader_;  // where it reads rows, or ranks
  bool encodes_ = false;

  // Only the first may be evaluated in part; its cells are in the cache then, and nobody else's.
  std::deque<std::unique_ptr<Embedding>> waiting_;
  std::vector<Share> batch_;
  TokenBatch rows_;
  int32_t wanted_rows_ = 0;

  Counters counters_;
};

}  // namespace cria
