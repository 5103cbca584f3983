#include "core/speculation/draft_head.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

// Of a text, and of the first `length` tokens of another one.
int32_t same_beginning(const Tokens& text, const Tokens& other, int32_t length) {
  const auto differs =
      std::mismatch(text.begin(), text.end(), other.begin(), other.begin() + length);
  return static_cast<int32_t>(differs.first - text.begin());
}

}  // namespace

DraftHead::DraftHead(std::shared_ptr<const Model> model, LlamaContext context, HiddenRows rows,
                     int32_t streams, bool encodes)
    : model_(std::move(model)),
      context_(std::move(context)),
      rows_(std::move(rows)),
      encodes_(encodes),
      piece_(static_cast<int32_t>(llama_n_ubatch(context_.get()))),
      width_(encodes ? llama_model_n_embd(model_->handle())
                     : llama_model_n_embd_out(model_->handle())),
      streams_(static_cast<size_t>(streams)) {
  batch_.reserve(piece_);
  keep_hidden_rows(context_.get());
}

void DraftHead::try_out() {
  batch_.clear();
  inputs_.assign(static_cast<size_t>(rows_.width()), 0.0F);
  if (encodes_ && !encode(inputs_.data(), 1)) throw Error(code::kInternal, "It was not encoded.");
  inputs_.resize(static_cast<size_t>(width_), 0.0F);
  batch_.add(model_->vocabulary().size() - 1, 0, 0, /*output=*/true);
  if (!decode(/*output=*/true)) throw Error(code::kInternal, "It was not evaluated.");
  hidden_rows_of(context_.get());
  llama_memory_clear(llama_get_memory(context_.get()), false);
}

// How many rows it has of a stream's last tokens.
int32_t DraftHead::held(const Stream& stream) const {
  return static_cast<int32_t>(stream.rows.size() / static_cast<size_t>(rows_.width()));
}

void DraftHead::follow(int32_t slot, const Tokens& tokens, int32_t begin, int32_t end,
                       const Tokens& draft) {
  if (!works_) return;
  const int32_t rows = end - begin + static_cast<int32_t>(draft.size());
  try {
    // Of what ran before, nobody asks for a guess any more.
    if (slot != followed_) std::vector<float>().swap(streams_[static_cast<size_t>(followed_)].rows);
    followed_ = slot;
    Stream& stream = streams_[static_cast<size_t>(slot)];
    cut(slot, same_beginning(stream.text, tokens, begin));
    const auto seen = static_cast<int32_t>(stream.text.size());
    // One with a token that was chosen, and then never evaluated.
    if (!stream.pairs.empty() && stream.pairs.back() + 1 == seen &&
        tokens[static_cast<size_t>(seen)] != stream.tip) {
      forget_pairs(slot, stream.pairs.size() - 1);
    }
    // As many rows as are evaluated at once are kept until a guess is asked for.
    const bool fits = held(stream) + rows <= piece_;
    const bool connected = seen == begin;
    if (!connected || !fits) {
      if (!catch_up(slot, tokens, seen)) return;
      if (!connected) stream.rows.clear();
    }
    if (stream.rows.empty()) stream.first = begin;
    rows_.read(0, rows, stream.rows);
    stream.text.insert(stream.text.end(), tokens.begin() + seen, tokens.begin() + end);
    stream.text.insert(stream.text.end(), draft.begin(), draft.end());
  } catch (const backend::AssertionError&) {
    throw;
  } catch (const std::exception&) {
    rpc::throw_if_lost();
    works_ = false;
  }
}

// What a stream has beyond its first `length` tokens is no longer so.
void DraftHead::cut(int32_t slot, int32_t length) {
  Stream& stream = streams_[static_cast<size_t>(slot)];
  if (length >= static_cast<int32_t>(stream.text.size())) return;
  stream.text.resize(static_cast<size_t>(length));
  const int32_t kept = std::clamp(length - stream.first, 0, held(stream));
  stream.rows.resize(static_cast<size_t>(kept) * static_cast<size_t>(rows_.width()));
  // A pair has the token behind its row, too.
  const auto gone = std::lower_bound(stream.pairs.begin(), stream.pairs.end(), length - 1);
  forget_pairs(slot, static_cast<size_t>(gone - stream.pairs.begin()));
}

void DraftHead::forget_pairs(int32_t slot, size_t count) {
  streams_[static_cast<size_t>(slot)].pairs.resize(count);
  llama_memory_seq_rm(llama_get_memory(context_.get()), slot, static_cast<llama_pos>(count), -1);
}

// Evaluates the pairs of all rows in front of that of the token at `end - 1`, which is kept: its
// pair may still come to have another token.
bool DraftHead::catch_up(int32_t slot, const Tokens& tokens, int32_t end) {
  Stream& stream = streams_[static_cast<size_t>(slot)];
  const int32_t last = std::min(end, stream.first + held(stream)) - 1;
  int32_t next = stream.first;
  if (!stream.pairs.empty()) next = std::max(next, stream.pairs.back() + 1);
  for (; next < last; next += piece_) {
    if (!evaluate_pairs(slot, tokens, next, std::min(piece_, last - next))) return false;
  }
  if (last <= stream.first) return true;
  const auto done = static_cast<size_t>(last - stream.first) * static_cast<size_t>(rows_.width());
  // Prompts have many: their memory is given back.
  stream.rows =
      std::vector<float>(stream.rows.begin() + static_cast<ptrdiff_t>(done), stream.rows.end());
  stream.first = last;
  return true;
}

// False if it was told to stop.
bool DraftHead::evaluate_pairs(int32_t slot, const Tokens& tokens, int32_t begin, int32_t count) {
  Stream& stream = streams_[static_cast<size_t>(slot)];
  const auto width = static_cast<size_t>(rows_.width());
  const float* rows = stream.rows.data() + static_cast<size_t>(begin - stream.first) * width;
  inputs_.assign(rows, rows + static_cast<size_t>(count) * width);
  if (encodes_ && !encode(inputs_.data(), count)) return false;
  batch_.clear();
  const auto position = static_cast<int32_t>(stream.pairs.size());
  for (int32_t i = 0; i < count; ++i)
    batch_.add(tokens[static_cast<size_t>(begin + i + 1)], position + i, slot, /*output=*/false);
  if (!decode(/*output=*/false)) {
    forget_pairs(slot, stream.pairs.size());
    return false;
  }
  for (int32_t i = 0; i < count; ++i)
    stream.pairs.push_back(begin + i);
  return true;
}

// Leaves the projected rows in inputs_.
bool DraftHead::encode(float* rows, int32_t count) {
  llama_batch batch{count, nullptr, rows, nullptr, nullptr, nullptr, nullptr};
  {
    const EvaluationGate::Pass pass(model_->gate());
    const int32_t status = llama_encode(context_.get(), batch);
    if (status == kDecoded) llama_synchronize(context_.get());
    rpc::throw_if_lost();
    if (status != kDecoded) {
      works_ = works_ && status == kAborted;
      return false;
    }
  }
  const float* projected = hidden_rows_of(context_.get());
  inputs_.assign(projected, projected + static_cast<size_t>(count) * static_cast<size_t>(width_));
  return true;
}

// The batch's tokens with inputs_. False if it was told to stop, or cannot.
bool DraftHead::decode(bool output) {
  llama_batch batch = batch_.view();
  batch.embd = inputs_.data();
  const EvaluationGate::Pass pass(model_->gate());
  const int32_t status = llama_decode(context_.get(), batch);
  if (status == kDecoded && output) llama_synchronize(context_.get());
  rpc::throw_if_lost();
  works_ = works_ && (status == kDecoded || status == kAborted);
  return status == kDecoded;
}

void DraftHead::propose(const Tokens& tokens, int32_t most, Tokens& proposal) {
  proposal.clear();
  if (!works_ || most <= 0) return;
  try {
    if (!begin_draft(tokens)) return;
    const size_t pairs = streams_[static_cast<size_t>(followed_)].pairs.size();
    go_on(most, proposal);
    forget_pairs(followed_, pairs);
  } catch (const backend::AssertionError&) {
    throw;
  } catch (const std::exception&) {
    rpc::throw_if_lost();
    works_ = false;
  }
}

// Evaluates the pair that ends with the text's last token, by itself: llama.cpp gives a head's
// logits and rows from its batch's first row on, whichever are wanted. False if the row in front of
// it was not seen.
bool DraftHead::begin_draft(const Tokens& tokens) {
  Stream& stream = streams_[static_cast<size_t>(followed_)];
  const auto length = static_cast<int32_t>(tokens.size());
  const int32_t same = same_beginning(stream.text, tokens, length);
  const int32_t row = length - 2;
  // Of another text the head knows nothing, and keeps what it has of the one that it followed.
  if (row < 0 || same <= row) return false;
  cut(followed_, same);
  if (row < stream.first || row >= stream.first + held(stream)) return false;
  if (!catch_up(followed_, tokens, row + 1)) return false;
  if (!stream.pairs.empty() && stream.pairs.back() == row)
    forget_pairs(followed_, stream.pairs.size() - 1);  // asked before, and nothing came of it

  const auto width = static_cast<size_t>(rows_.width());
  const float* rows = stream.rows.data() + static_cast<size_t>(row - stream.first) * width;
  inputs_.assign(rows, rows + width);
  if (encodes_ && !encode(inputs_.data(), 1)) return false;
  batch_.clear();
  batch_.add(tokens.back(), static_cast<int32_t>(stream.pairs.size()), followed_, /*output=*/true);
  if (!decode(/*output=*/true)) {
    forget_pairs(followed_, stream.pairs.size());
    return false;
  }
  stream.pairs.push_back(row);
  stream.tip = tokens.back();
  return true;
}

// From its own rows, and guesses that nobody has checked.
void DraftHead::go_on(int32_t most, Tokens& proposal) {
  auto position = static_cast<int32_t>(streams_[static_cast<size_t>(followed_)].pairs.size());
  while (true) {
    const llama_token token = likeliest();
    if (token < 0 || model_->vocabulary().ends_generation(token)) return;
    proposal.push_back(token);
    if (static_cast<int32_t>(proposal.size()) == most) return;
    const float* row = hidden_rows_of(context_.get());
    inputs_.assign(row, row + width_);
    batch_.clear();
    batch_.add(token, position++, followed_, /*output=*/true);
    if (!decode(/*output=*/true)) return;
  }
}

// A token that no text has if there is nothing to choose from.
llama_token DraftHead::likeliest() {
  const float* const logits = llama_get_logits_ith(context_.get(), -1);
  if (logits == nullptr) return LLAMA_TOKEN_NULL;
  scan_.read(logits, model_->vocabulary().size());
  return scan_.usable() ? scan_.argmax() : LLAMA_TOKEN_NULL;
}

}  // namespace cria
