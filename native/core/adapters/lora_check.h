// What has to be true of a LoRA adapter's file so that llama.cpp neither aborts on it nor, later,
// on a graph with it.
#pragma once

#include <string>

#include "core/model/model.h"
#include "core/model/model_files.h"

namespace cria {

// Throws ERR_MODEL_INVALID or ERR_UNSUPPORTED with the path, what was expected and what was found.
void check_lora(const std::string& path, const ModelFiles& files, const Model& model);

}  // namespace cria
