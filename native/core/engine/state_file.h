// A sequence in a file: its tokens and llama.cpp's state of them, after a header that tells which
// model and cache they belong to, and whether the file is complete.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

struct StateFile {
  uint64_t fingerprint = 0;
  Tokens tokens;
  std::vector<uint8_t> state;
};

// Both block. If this throws ERR_STATE_INVALID, the file is as it was before: never half written.
void write_state_file(const std::string& path, const StateFile& file);

// Throws ERR_STATE_INVALID for a file that is damaged, none of ours, or another model's.
StateFile read_state_file(const std::string& path, uint64_t fingerprint);

}  // namespace cria
