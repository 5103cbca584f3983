// What has to hold in a model's files, so that llama.cpp neither crashes nor hangs over them: it
// checks much, but divides by hyperparameters, asserts on threads that nobody guards, and
// multiplies by whatever type a tensor has. Each of the three throws ERR_MODEL_INVALID with the key
// or the tensor, what was expected and what is there. All are linear in the size of the header.
#pragma once

#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/model/gguf_file.h"
#include "core/model/metadata_overrides.h"

namespace cria {

// What they throw over a value of the metadata.
[[noreturn]] inline void refuse_value(const std::string& key, const std::string& expected,
                                      const std::string& found) {
  throw Error(code::kModelInvalid,
              "expected \"" + key + "\" to be " + expected + ", found " + found);
}

// hyperparameter_check.cpp: numbers that are finite, of the right sign, and in bounds.
void check_hyperparameters(const Metadata& metadata);

// tokenizer_check.cpp: lists of equal lengths, no token twice.
void check_tokenizer(const Metadata& metadata);

// tensor_check.cpp: all that the graph takes for granted, in types that the CPU can compute with.
void check_tensors(const Metadata& metadata, const std::vector<GgufTensor>& tensors);

// Rows of the table of learnt positions, 0 where the model has none: a position behind its end is
// read from somewhere else.
int64_t position_rows(const Metadata& metadata, const std::vector<GgufTensor>& tensors);

}  // namespace cria
