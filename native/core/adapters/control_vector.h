// Control vectors: what is added to the output of a model's layers, for a context as long as it
// lives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/model.h"

namespace cria {

struct ControlVector {
  std::string path;
  float scale = 1;
  // Both inclusive, from 1: llama.cpp has none of layer 0. 0: the first, or the last, that there
  // is.
  int32_t first_layer = 0;
  int32_t last_layer = 0;
};

// The sum of all of them as llama.cpp takes it: a vector for each layer from 1 on, one behind the
// other; empty for none. Blocks. Throws ERR_MODEL_INVALID for a file that holds none, or none for
// this model; ERR_UNSUPPORTED for a model whose graph does not add them; ERR_INVALID_ARGUMENT for
// layers that the model has not; ERR_DISPOSED once `goes_on` returns false.
std::vector<float> load_control_vectors(const std::vector<ControlVector>& vectors,
                                        const Model& model, const std::function<bool()>& goes_on);

}  // namespace cria
