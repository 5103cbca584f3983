// A sequence in a file: its tokens and llama.cpp's state of them, after a header that tells which
// model and cache they belong to, and whether the file is complete.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
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

struct ReadLimits {
  int64_t most_tokens = std::numeric_limits<int64_t>::max();
  std::function<bool()> goes_on;  // none: always
};

// Throws ERR_STATE_INVALID for a file that is damaged, none of ours, or another model's, and
// ERR_CONTEXT_FULL, before it reads all of it, for one of too many tokens. Returns an empty one
// soon after `goes_on` has returned false.
StateFile read_state_file(const std::string& path, uint64_t fingerprint,
                          const ReadLimits& limits = {});

}  // namespace cria
