// The rows of one llama_decode, in arrays laid out as llama_batch wants them and reused from one
// batch to the next.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "core/model/error.h"

namespace cria {

// What llama_decode returns (include/llama.h). Anything else is an error.
inline constexpr int32_t kDecoded = 0;
inline constexpr int32_t kNoCells = 1;
inline constexpr int32_t kAborted = 2;
inline constexpr int32_t kNoMemory = -2;  // for the graph

// What is told of a batch that llama_decode returned an error for.
Failure decode_failure(int32_t status);

class TokenBatch {
 public:
  // The most rows it will ever hold. Once, before the first add().
  void reserve(int32_t rows);

  void clear();

  // `output`: the row's logits or embedding are wanted.
  void add(llama_token token, llama_pos position, llama_seq_id slot, bool output);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  llama_token token(int32_t row) const { return tokens_[static_cast<size_t>(row)]; }

  // Valid until the next change.
  llama_batch view();

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<int32_t> slot_counts_;  // all 1
  std::vector<llama_seq_id> slots_;
  std::vector<llama_seq_id*> slot_pointers_;  // into slots_
  std::vector<int8_t> outputs_;
};

}  // namespace cria
