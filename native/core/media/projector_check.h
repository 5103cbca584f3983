// What has to be true of a projector's file so that mtmd neither crashes nor hangs on it, as
// model_check.h has it for models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/gguf_file.h"
#include "core/model/model_files.h"

namespace cria {

// Throws ERR_MODEL_INVALID with the key or the tensor, what was expected and what was found;
// ERR_UNSUPPORTED for a kind that cria cannot drive. `files` are those at `path`. Linear in the
// size of the header.
void check_projector(const std::string& path, const ModelFiles& files);

// What makes embeddings of pictures, or of sounds.
struct ProjectorPart {
  std::string prefix;  // of its tensors: "v" or "a"
  std::string kind;
  int64_t layers;
};

// projector_tensors.cpp: every tensor that the graphs need is there, in a type that the CPU can
// compute with. Throws as above.
void check_projector_tensors(const std::vector<ProjectorPart>& parts,
                             const std::vector<GgufTensor>& tensors);

}  // namespace cria
