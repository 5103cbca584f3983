#include <cstdlib>
#include <string>

#include "core/media/media_file.h"

namespace cria {

namespace {

using Bytes = std::vector<uint8_t>;

[[noreturn]] void refuse_cut_off() {
  refuse_media(MediaKind::kImage, "it is cut off: its end is missing");
}

// A cursor that never leaves the file.
class Reader {
 public:
  explicit Reader(const Bytes& bytes, size_t at = 0) : bytes_(bytes), at_(at) {}

  uint32_t byte() {
    if (at_ >= bytes_.size()) refuse_cut_off();
    return bytes_[at_++];
  }
  uint32_t big(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i)
      value = value << 8 | byte();
    return value;
  }
  uint32_t little(int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; ++i)
      value |= byte() << (8 * i);
    return value;
  }
  void skip(uint64_t count) {
    if (count > bytes_.size() - at_) refuse_cut_off();
    at_ += static_cast<size_t>(count);
  }

 private:
  const Bytes& bytes_;
  size_t at_;
};

// Each scan of a progressive JPEG goes over the whole picture, and may take a few bytes.
constexpr int kMostScans = 100;

void check_jpeg(const Bytes& bytes) {
  constexpr uint32_t kStart = 0xD8;
  constexpr uint32_t kEnd = 0xD9;
  constexpr uint32_t kScan = 0xDA;
  const auto is_alone = [](uint32_t marker) {  // it has no length behind it
    return marker <= 0x01 || (marker >= 0xD0 && marker <= kStart);
  };
  Reader reader(bytes);
  int scans = 0;
  for (;;) {
    // To the next marker: behind a scan, over what it codes.
    while (reader.byte() != 0xFF) {
    }
    uint32_t marker = 0xFF;
    while (marker == 0xFF)
      marker = reader.byte();
    if (marker == kEnd) return;
    if (is_alone(marker)) continue;
    if (marker == kScan && ++scans > kMostScans) {
      refuse_media(MediaKind::kImage,
                   "expected at most " + std::to_string(kMostScans) + " scans in a JPEG");
    }
    const uint32_t length = reader.big(2);
    if (length < 2) refuse_media(MediaKind::kImage, "it is damaged (a segment without a length)");
    reader.skip(length - 2);
  }
}

// A row's compressed bytes are hardly more than its own: more would only be there to be unpacked.
void check_png(const Bytes& bytes) {
  constexpr uint32_t kHeader = 0x49484452;  // IHDR
  constexpr uint32_t kData = 0x49444154;    // IDAT
  constexpr uint32_t kEnd = 0x49454E44;     // IEND
  Reader reader(bytes, 8);
  uint64_t room = 0;
  uint64_t data = 0;
  for (;;) {
    const uint32_t length = reader.big(4);
    const uint32_t kind = reader.big(4);
    if (kind == kHeader && length == 13) {
      Reader header = reader;
      const uint64_t width = header.big(4);
      const uint64_t height = header.big(4);
      constexpr uint64_t kMostBytesOfAPixel = 8;
      room = (width * kMostBytesOfAPixel + 1) * height * 5 / 4 + 4096;
    }
    if (kind == kData) data += length;
    reader.skip(uint64_t{length} + 4);  // and the checksum
    if (kind == kEnd) break;
  }
  if (data > room) {
    refuse_media(MediaKind::kImage, "it has more data than its size has pixels");
  }
}

// Extensions and pictures are made of blocks that say how long they are.
void check_gif(const Bytes& bytes) {
  const auto table_bytes = [](uint32_t flags) -> uint64_t {
    return (flags & 0x80) == 0 ? 0 : uint64_t{3} << ((flags & 0x07) + 1);
  };
  Reader reader(bytes, 10);
  const uint32_t flags = reader.byte();
  reader.skip(2 + table_bytes(flags));
  for (;;) {
    const uint32_t kind = reader.byte();
    if (kind == 0x3B) return;
    if (kind == 0x2C) {
      reader.skip(8);
      reader.skip(table_bytes(reader.byte()) + 1);
    } else if (kind == 0x21) {
      reader.skip(1);
    } else {
      refuse_media(MediaKind::kImage, "it is damaged (a block of an unknown kind)");
    }
    while (const uint32_t length = reader.byte())
      reader.skip(length);
  }
}

void check_bmp(const Bytes& bytes) {
  Reader reader(bytes, 10);
  const uint64_t data = reader.little(4);
  const uint32_t header = reader.little(4);
  if (header < 40) return;  // OS/2's: stb fails where its data ends
  const auto width = static_cast<int32_t>(reader.little(4));
  const auto height = static_cast<int32_t>(reader.little(4));
  reader.skip(2);
  const uint64_t bits = reader.little(2);
  const uint64_t row = (static_cast<uint64_t>(std::llabs(width)) * bits + 31) / 32 * 4;
  if (data + row * static_cast<uint64_t>(std::llabs(height)) > bytes.size()) refuse_cut_off();
}

}  // namespace

void check_picture(const std::vector<uint8_t>& bytes, PictureFormat format) {
  switch (format) {
    case PictureFormat::kJpeg:
      return check_jpeg(bytes);
    case PictureFormat::kPng:
      return check_png(bytes);
    case PictureFormat::kGif:
      return check_gif(bytes);
    case PictureFormat::kBmp:
      return check_bmp(bytes);
  }
}

}  // namespace cria
