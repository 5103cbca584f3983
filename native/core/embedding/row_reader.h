// Reads what a decoder makes of its tokens the moment it is there, and ends the evaluation: what
// would follow is the head, which makes logits of it. With 128K tokens in the vocabulary of a small
// model that is most of the work, and llama.cpp has no way to leave it out.
#pragma once

#include <llama.h>

#include <vector>

namespace cria {

class RowReader {
 public:
  enum class What { kTokens, kScores };
  explicit RowReader(What what);

  // Has the context call it. It must outlive the context.
  void configure(llama_context_params& params);

  // Evaluates a few tokens and compares: whether this model's rows are read right. The context has
  // to be one for embeddings of tokens, and is none afterwards.
  bool works(llama_context* context, int32_t vocabulary_size);

  // Likewise, with a context that ranks: how many numbers it has for a pair. 0: unknown.
  int32_t scores(llama_context* context, int32_t vocabulary_size, bool encodes);

  // As llama_decode; 0 also where it was ended early. Then rows() has those of the tokens whose
  // output is wanted: `expected` of them, or found() is 0.
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
