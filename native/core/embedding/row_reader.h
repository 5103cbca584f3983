// Reads a decoder's output for its tokens as soon as it is computed, and ends the evaluation before
// the head turns it into logits. With a vocabulary of 128K the head is most of the work of a small
// model, and llama.cpp has no way to skip it.
#pragma once

#include <llama.h>

#include <vector>

namespace cria {

class RowReader {
 public:
  enum class What { kTokens, kScores };
  explicit RowReader(What what);

  // Sets the callback of the llama_context, which this must outlive.
  void configure(llama_context_params& params);

  // Evaluates a few tokens in both ways: whether the rows of this model are read correctly. The
  // llama_context has to compute embeddings of tokens, and no longer does afterwards.
  bool works(llama_context* context, int32_t vocabulary_size);

  // Likewise for one that ranks: how many numbers it has for a pair. 0: unknown.
  int32_t scores(llama_context* context, int32_t vocabulary_size, bool encodes);

  // As llama_decode, with kDecoded if it was ended early. Then rows() has the rows of the tokens
  // whose output is wanted: `expected` of them, or found() is 0.
  int32_t decode(llama_context* context, const llama_batch& batch, int32_t expected);

  const float* rows() const { return rows_.data(); }
  int32_t width() const { return width_; }
  int32_t found() const { return found_; }

 private:
  struct Ended {};  // thrown through llama_decode

  static bool on_tensor(ggml_tensor* tensor, bool ask, void* self);
  void read(const ggml_tensor* tensor);
  void evaluate(llama_context* context, const std::vector<int32_t>& lengths,
                int32_t vocabulary_size, bool encodes);

  const char* name_;
  std::vector<float> rows_;
  int32_t width_ = 0;
  int32_t expected_ = 0;
  int32_t found_ = 0;
  bool ends_ = false;
};

}  // namespace cria
