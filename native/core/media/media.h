// A picture or a sound as its user gives it: a file's bytes, or where the file is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

enum class MediaKind { kImage, kAudio };

struct Media {
  MediaKind kind = MediaKind::kImage;
  std::vector<uint8_t> bytes;
  std::string path;  // of a file to read; empty: `bytes` has all
};

// For messages: "image" or "audio".
inline const char* name_of(MediaKind kind) { return kind == MediaKind::kImage ? "image" : "audio"; }

}  // namespace cria
