// Decodes pictures, by stb_image as mtmd carries it.
#pragma once

#include <cstdint>
#include <vector>

namespace cria {

// Of a picture: 100 megapixels of a camera are scaled down by the caller, a bomb is refused.
inline constexpr int64_t kMostPixels = int64_t{1} << 26;

struct Picture {
  int32_t width = 0;
  int32_t height = 0;
  std::vector<uint8_t> rgb;  // three bytes a pixel, row by row from the top
};

// A JPEG, PNG, BMP, or the first picture of a GIF. Throws ERR_MEDIA_INVALID.
Picture decode_picture(const std::vector<uint8_t>& bytes);

}  // namespace cria
