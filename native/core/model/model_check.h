// What has to be true of a model's files so that llama.cpp neither crashes nor hangs: it checks
// much, but divides by hyperparameters, asserts on unguarded threads, and multiplies by whatever
// type a tensor has. Each of the others throws ERR_MODEL_INVALID with the key or the tensor,
// what was expected and what was found. All are linear in the size of the header, and check_ids()
// in that of the tables.
#pragma once

#include <ggml.h>

#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/model/gguf_file.h"
#include "core/model/metadata_overrides.h"
#include "core/model/model_files.h"

namespace cria {

// Throws for a value of the metadata.
[[noreturn]] inline void refuse_value(const std::string& key, const std::string& expected,
                                      const std::string& found) {
  throw Error(code::kModelInvalid,
              "expected \"" + key + "\" to be " + expected + ", found " + found);
}

// architecture_check.cpp: llama.cpp can load such a model, as far as is known. Throws
// ERR_UNSUPPORTED with the reason.
void check_architecture(const Metadata& metadata, bool vocab_only);

// hyperparameter_check.cpp: numbers are finite, of the right sign, and in bounds.
void check_hyperparameters(const Metadata& metadata);

// tokenizer_check.cpp: lists have equal lengths, and no token occurs twice.
void check_tokenizer(const Metadata& metadata);

// tensor_check.cpp: every tensor that the graph needs is there, in a type that the CPU can compute
// with.
void check_tensors(const Metadata& metadata, const std::vector<GgufTensor>& tensors);

// id_check.cpp: tables of tokens and experts name none that is not there. The CPU asserts that
// where it computes with them; a GPU reads and writes other memory. After check_tensors().
void check_ids(const Metadata& metadata, const ModelFiles& files);

// Whether the CPU multiplies by weights of this type.
bool can_be_multiplied(ggml_type type);

// Rows of the table of learnt positions, 0 if the model has none. A position beyond its end would
// be read from other memory.
int64_t position_rows(const Metadata& metadata, const std::vector<GgufTensor>& tensors);

}  // namespace cria
