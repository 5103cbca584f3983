#include "core/media/picture.h"

#include <stb/stb_image.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "core/media/media_file.h"

namespace cria {

namespace {

constexpr int kChannels = 3;

std::string size_of(int width, int height) {
  return std::to_string(width) + " × " + std::to_string(height);
}

}  // namespace

Picture decode_picture(const std::vector<uint8_t>& bytes) {
  const PictureFormat format = picture_format(bytes);
  const auto length = static_cast<int>(bytes.size());  // at most kMostMediaBytes
  const auto reason = [] {
    const char* words = stbi_failure_reason();
    return std::string(words == nullptr ? "of an unknown kind" : words);
  };
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(bytes.data(), length, &width, &height, &channels) == 0) {
    refuse_media(MediaKind::kImage, "its header is damaged (" + reason() + ")");
  }
  // Of a BMP from the top down.
  if (format == PictureFormat::kBmp && height > -INT32_MAX) height = std::abs(height);
  if (width <= 0 || height <= 0) {
    refuse_media(MediaKind::kImage, "expected at least one pixel, got " + size_of(width, height));
  }
  if (int64_t{width} * height > kMostPixels) {
    refuse_media(MediaKind::kImage, "expected at most " + std::to_string(kMostPixels) +
                                        " pixels, got " + size_of(width, height) +
                                        ". Scale it down");
  }
  check_picture(bytes, format);
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> decoded(
      stbi_load_from_memory(bytes.data(), length, &width, &height, &channels, kChannels),
      stbi_image_free);
  if (!decoded) refuse_media(MediaKind::kImage, "it is damaged (" + reason() + ")");
  Picture picture{width, height, {}};
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * kChannels;
  picture.rgb.assign(decoded.get(), decoded.get() + size);
  return picture;
}

}  // namespace cria
