// What a model computes on its way to the logits, row by row: heads that guess for it read that.
// One thread at a time, the context's.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

class HiddenRows {
 public:
  // From now on the context keeps what goes into each of these layers; a number that is one past
  // the last layer's stands for what comes out of that one (with Gemma 4, of the norm behind it).
  // Without any layer it keeps what the output layer reads. The architecture has to be one that
  // keeps them: see head_check.h.
  HiddenRows(llama_context* context, std::vector<int32_t> layers);

  // Floats of a row: all its layers' one behind the other.
  int32_t width() const;

  // Appends those of the last llama_decode's rows from `first` on, if all of them were of one
  // sequence. Throws ERR_INTERNAL if llama.cpp has none.
  void read(int32_t first, int32_t count, std::vector<float>& rows) const;

 private:
  bool is_last(int32_t layer) const;
  const float* of_layer(int32_t layer) const;

  llama_context* const context_;
  const std::vector<int32_t> layers_;
  const int32_t embedding_;  // floats of one layer's
};

// Of a head's own context: it keeps what stands in front of its output layer, of rows whose logits
// are wanted.
void keep_hidden_rows(llama_context* head);

// That of the last evaluation's first row. Throws ERR_INTERNAL if there is none.
const float* hidden_rows_of(llama_context* head);

// Of the model that an EAGLE-3 head was trained on, the layers whose inputs it reads.
std::vector<int32_t> layers_read_by(const llama_model* head);

}  // namespace cria
