#include "core/embedding/row_reader.h"

#include <ggml-backend.h>

#include <cstring>
#include <numeric>
#include <string>

#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"
#include "core/model/token_batch.h"

namespace cria {

namespace {

// The name that nearly all of llama.cpp's graphs give to the last layer's output after its norm.
constexpr const char* kTokens = "result_norm";
// The output of a classifier or, without one, what would be its input.
constexpr const char* kScores = "result_embd_pooled";

// llama_decode is a C function: this compiler may assume that no exception passes through it.
#ifdef _MSC_VER
constexpr bool kThrows = false;
#else
constexpr bool kThrows = true;
#endif

}  // namespace

RowReader::RowReader(What what) : name_(what == What::kTokens ? kTokens : kScores) {}

void RowReader::configure(llama_context_params& params) {
  params.cb_eval = on_tensor;
  params.cb_eval_user_data = this;
}

bool RowReader::works(llama_context* context, int32_t vocabulary_size) {
  // Two texts, so that a different order of llama.cpp's would show.
  const bool two = llama_n_seq_max(context) > 1 && llama_n_ubatch(context) >= 5;
  const std::vector<int32_t> lengths = two ? std::vector<int32_t>{3, 2} : std::vector<int32_t>{1};
  expected_ = two ? 5 : 1;
  evaluate(context, lengths, vocabulary_size, /*encodes=*/false);
  const int32_t width = llama_model_n_embd_out(llama_get_model(context));
  std::vector<float> right;
  for (int32_t i = 0; i < expected_; ++i) {
    const float* row = llama_get_embeddings_ith(context, i);
    if (row == nullptr) return false;
    right.insert(right.end(), row, row + width);
  }
  llama_set_embeddings(context, false);  // from now on: only the rows that are wanted
  evaluate(context, lengths, vocabulary_size, /*encodes=*/false);
  return found_ == expected_ && rows_.size() == right.size() &&
         std::memcmp(rows_.data(), right.data(), right.size() * sizeof(float)) == 0;
}

int32_t RowReader::scores(llama_context* context, int32_t vocabulary_size, bool encodes) {
  expected_ = 1;
  evaluate(context, {1}, vocabulary_size, encodes);
  return found_ == 1 ? width_ : 0;
}

// Evaluates to the end, so that llama.cpp has its own results, too.
void RowReader::evaluate(llama_context* context, const std::vector<int32_t>& lengths,
                         int32_t vocabulary_size, bool encodes) {
  ends_ = false;
  found_ = 0;
  TokenBatch batch;
  batch.reserve(std::accumulate(lengths.begin(), lengths.end(), 0));
  for (size_t text = 0; text < lengths.size(); ++text) {
    for (int32_t i = 0; i < lengths[text]; ++i)
      batch.add((batch.size() * 7 + 1) % vocabulary_size, i, static_cast<llama_seq_id>(text), true);
  }
  const int32_t status =
      encodes ? llama_encode(context, batch.view()) : llama_decode(context, batch.view());
  rpc::throw_if_lost();
  if (status != kDecoded) {
    throw Error(code::kDecodeFailed,
                "llama.cpp could not evaluate a text: " + std::to_string(status) + ".");
  }
  llama_synchronize(context);
  if (!encodes) llama_memory_clear(llama_get_memory(context), false);
}

int32_t RowReader::decode(llama_context* context, const llama_batch& batch, int32_t expected) {
  ends_ = true;
  expected_ = expected;
  found_ = 0;
  try {
    return llama_decode(context, batch);
  } catch (const Ended&) {
    return kDecoded;
  }
}

// The context's thread, from inside llama_decode. `ask`: whether the tensor is to be read.
bool RowReader::on_tensor(ggml_tensor* tensor, bool ask, void* self) {
  auto* reader = static_cast<RowReader*>(self);
  if (ask) return std::strcmp(tensor->name, reader->name_) == 0;
  reader->read(tensor);
  if (!reader->ends_ || reader->found_ != reader->expected_) return true;
  if (kThrows) throw Ended{};
  return false;
}

void RowReader::read(const ggml_tensor* tensor) {
  const bool fits = tensor->type == GGML_TYPE_F32 && ggml_is_contiguous(tensor) &&
                    tensor->ne[1] == expected_ && tensor->ne[2] == 1 && tensor->ne[3] == 1;
  if (!fits) return;
  width_ = static_cast<int32_t>(tensor->ne[0]);
  found_ = expected_;
  rows_.resize(static_cast<size_t>(ggml_nelements(tensor)));
  if (!rows_.empty()) ggml_backend_tensor_get(tensor, rows_.data(), 0, ggml_nbytes(tensor));
}

}  // namespace cria
