#include "core/embedding/embedder.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/embedding/embedding_params.h"
#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// How many waiting texts are looked through for ones that still fit.
constexpr size_t kWindow = 512;

}  // namespace

Embedder::Embedder(const Model& model, const ContextOptions& options, Outbox& outbox)
    : model_(model),
      options_(options),
      outbox_(outbox),
      pairs_(options.pooling == LLAMA_POOLING_TYPE_RANK ? std::optional<PairFormat>(model)
                                                        : std::nullopt),
      longest_(longest_text(model, options)),
      reads_rows_(can_read_rows(model, model.handle(), options.pooling)),
      reader_(pairs_ ? RowReader::What::kScores : RowReader::What::kTokens) {
  check_embeds(model);
}

llama_context_params Embedder::params() {
  llama_context_params params = embedding_params(model_, options_, reads_rows_);
  if (reads_rows_ || ranks()) reader_.configure(params);
  return params;
}

bool Embedder::attach(llama_context* context) {
  context_ = context;
  const llama_model* model = model_.handle();
  const bool cached = llama_get_memory(context) != nullptr;
  encodes_ = !cached || llama_model_has_encoder(model);
  if (reads_rows_) {
    if (!cached || !reader_.works(context, model_.vocabulary().size())) {
      reads_rows_ = false;
      return false;
    }
  }
  if (ranks()) check_classifier();
  rows_.reserve(static_cast<int32_t>(llama_n_ubatch(context)));
  return true;
}

// Without a classifier llama.cpp would return a part of the hidden state as the score.
void Embedder::check_classifier() {
  const auto outputs = static_cast<int32_t>(llama_model_n_cls_out(model_.handle()));
  const int32_t found = reader_.scores(context_, model_.vocabulary().size(), encodes_);
  if (found == outputs) return;
  throw Error(code::kUnsupported,
              "This model has no classifier that ranks: expected a reranker, for `pooling: "
              "\"rank\"`.");
}

std::unique_ptr<Embedding> Embedder::prepare(const std::shared_ptr<const Command>& command) const {
  Tokens tokens;
  if (const auto* embed = std::get_if<command::Embed>(&command->what)) {
    if (ranks()) {
      throw Error(code::kUnsupported,
                  "This context ranks (pooling \"rank\"): call rank(), or create one with another "
                  "`pooling` to embed.");
    }
    tokens = tokenize_framed(model_.vocabulary(), embed->text);
  } else if (const auto* rank = std::get_if<command::Rank>(&command->what)) {
    if (!ranks()) {
      throw Error(code::kUnsupported, "To rank, create a context with `pooling: \"rank\"`.");
    }
    tokens = pairs_->tokenize(rank->query, rank->document);
  } else {
    throw Error(code::kUnsupported,
                "This context was created with `embeddings`: it can embed or rank, nothing else. "
                "Create another context on the same model.");
  }
  if (tokens.empty()) {
    throw Error(code::kInvalidArgument,
                "Expected a text of at least one token, got none: it is empty, and this model "
                "frames texts with no token of its own.");
  }
  if (static_cast<int64_t>(tokens.size()) > longest_) {
    throw Error(code::kContextFull,
                "The text has " + std::to_string(tokens.size()) + " tokens, more than the " +
                    std::to_string(longest_) +
                    " that one text may have here. Cut it, or create the context with a larger "
                    "`contextSize`, as far as the model was trained for it.");
  }
  return std::make_unique<Embedding>(command, std::move(tokens), options_.pooling);
}

void Embedder::add(std::unique_ptr<Embedding> embedding) {
  waiting_.push_back(std::move(embedding));
  count();
}

void Embedder::step() {
  drop_cancelled();
  fill();
  count();
  if (!batch_.empty()) evaluate();
  batch_.clear();
  count();
  outbox_.flush();
}

bool Embedder::decoding_in_vain() const {
  int32_t cancelled = 0;
  for (const Share& share : batch_)
    cancelled += share.embedding->cancelled() ? share.count : 0;
  return cancelled * 2 > rows_.size();
}

void Embedder::drop_cancelled() {
  const auto drop = [this](const std::unique_ptr<Embedding>& embedding) {
    if (!embedding->cancelled()) return false;
    embedding->cancel(outbox_);
    return true;
  };
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), drop), waiting_.end());
}

// Always the first text, or a piece of it if it is too long; then others that fit whole.
void Embedder::fill() {
  rows_.clear();
  wanted_rows_ = 0;
  if (waiting_.empty()) return;
  const auto pack = options_.micro_batch_size;
  Embedding& first = *waiting_.front();
  add_share(first, reads_rows_ ? std::min(first.pending(), pack) : first.pending());
  const auto texts = static_cast<size_t>(options_.sequences);
  const size_t window = std::min(waiting_.size(), kWindow);
  for (size_t i = 1; i < window && batch_.size() < texts; ++i) {
    const int32_t room = pack - rows_.size();
    if (room <= 0) return;
    if (waiting_[i]->length() <= room) add_share(*waiting_[i], waiting_[i]->length());
  }
}

void Embedder::add_share(Embedding& embedding, int32_t count) {
  const auto slot = static_cast<llama_seq_id>(batch_.size());
  batch_.push_back({&embedding, slot, count, rows_.size(), wanted_rows_});
  for (int32_t i = 0; i < count; ++i) {
    const int32_t position = embedding.evaluated() + i;
    const bool wanted = !reads_rows_ || embedding.wants(position);
    rows_.add(embedding.tokens()[static_cast<size_t>(position)], position, slot, wanted);
    wanted_rows_ += wanted ? 1 : 0;
  }
}

void Embedder::evaluate() {
  const int32_t status = decode();
  if (status == kDecoded) {
    collect();
  } else if (status != kAborted) {  // aborted texts stay where they were
    fail_batch(decode_failure(status));
  }
}

int32_t Embedder::decode() {
  const EvaluationGate::Pass pass(model_.gate());
  llama_memory_t memory = llama_get_memory(context_);
  const bool goes_on = batch_.front().embedding->evaluated() > 0;
  if (memory != nullptr && !goes_on) llama_memory_clear(memory, false);
  if (reads_rows_) {
    const int32_t status = reader_.decode(context_, rows_.view(), wanted_rows_);
    for (size_t i = 1; i < batch_.size(); ++i)
      llama_memory_seq_rm(memory, batch_[i].slot, -1, -1);
    return status;
  }
  const int32_t status =
      encodes_ ? llama_encode(context_, rows_.view()) : llama_decode(context_, rows_.view());
  if (status == kDecoded) llama_synchronize(context_);
  rpc::throw_if_lost();
  return status;
}

void Embedder::collect() {
  if (reads_rows_ && reader_.found() != wanted_rows_) {
    fail_batch({code::kDecodeFailed, "llama.cpp could not evaluate the batch: it gave " +
                                         std::to_string(reader_.found()) + " rows for " +
                                         std::to_string(wanted_rows_) + " tokens."});
    return;
  }
  counters_.batches.fetch_add(1, std::memory_order_relaxed);
  counters_.decoded_tokens.fetch_add(rows_.size(), std::memory_order_relaxed);
  std::vector<const Embedding*> finished;
  for (const Share& share : batch_) {
    Embedding& embedding = *share.embedding;
    try {
      take(share);
      if (embedding.pending() > 0) continue;
      embedding.finish(outbox_);
    } catch (const std::exception&) {
      outbox_.fail(embedding.id(), current_failure(code::kDecodeFailed));
    }
    finished.push_back(&embedding);
  }
  forget(finished);
}

void Embedder::take(const Share& share) {
  if (reads_rows_) {
    const auto width = static_cast<size_t>(reader_.width());
    share.embedding->take(reader_.rows() + width * static_cast<size_t>(share.rows), share.count,
                          reader_.width());
    return;
  }
  const int32_t width = this->width();
  if (options_.pooling != LLAMA_POOLING_TYPE_NONE) {
    const float* vector = llama_get_embeddings_seq(context_, share.slot);
    if (vector == nullptr) throw Error(code::kDecodeFailed, "llama.cpp gave no embedding.");
    share.embedding->take_pooled(vector, width);
    return;
  }
  for (int32_t i = 0; i < share.count; ++i) {
    const float* row = llama_get_embeddings_ith(context_, share.begin + i);
    if (row == nullptr) throw Error(code::kDecodeFailed, "llama.cpp gave no embedding.");
    share.embedding->take(row, 1, width);
  }
}

// The width of llama.cpp's result for a text. The first output of a classifier is the score.
int32_t Embedder::width() const { return ranks() ? 1 : llama_model_n_embd_out(model_.handle()); }

void Embedder::forget(const std::vector<const Embedding*>& finished) {
  const auto over = [&](const std::unique_ptr<Embedding>& embedding) {
    return std::find(finished.begin(), finished.end(), embedding.get()) != finished.end();
  };
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), over), waiting_.end());
}

void Embedder::fail_batch(const Failure& failure) {
  std::vector<const Embedding*> failed;
  for (const Share& share : batch_) {
    outbox_.fail(share.embedding->id(), failure);
    failed.push_back(share.embedding);
  }
  forget(failed);
}

void Embedder::count() {
  counters_.active.store(static_cast<int32_t>(batch_.size()), std::memory_order_relaxed);
}

}  // namespace cria
