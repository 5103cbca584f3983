#include "core/media/media_file.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "core/model/error.h"
#include "core/model/regular_file.h"

namespace cria {

namespace {

bool begins(const std::vector<uint8_t>& bytes, std::string_view with, size_t at = 0) {
  return bytes.size() >= at + with.size() &&
         std::memcmp(bytes.data() + at, with.data(), with.size()) == 0;
}

bool is_sound(const std::vector<uint8_t>& bytes) {
  const bool wav = begins(bytes, "RIFF") && begins(bytes, "WAVE", 8);
  // An MPEG frame's header begins with eleven bits set; of layer 3, version 1, 2 or 2.5.
  const bool frame = bytes.size() > 4 && bytes[0] == 0xFF && (bytes[1] & 0xE0) == 0xE0 &&
                     (bytes[1] & 0x06) == 0x02;
  return wav || begins(bytes, "fLaC") || begins(bytes, "ID3") || frame;
}

std::string named(const std::vector<uint8_t>& bytes) {
  if (bytes.empty()) return "no bytes";
  if (begins(bytes, "RIFF") && begins(bytes, "WEBP", 8)) return "a WebP file";
  if (begins(bytes, "ftyp", 4)) return "a file of the MP4 family (AVIF, HEIC, M4A)";
  if (begins(bytes, "OggS")) return "an Ogg file";
  if (begins(bytes, "<svg") || begins(bytes, "<?xml")) return "XML";
  if (begins(bytes, "%PDF")) return "a PDF";
  return is_sound(bytes) ? "a sound" : "something else";
}

}  // namespace

void refuse_media(MediaKind kind, const std::string& why) {
  const char* what = kind == MediaKind::kImage ? "picture" : "sound";
  throw Error(code::kMediaInvalid, std::string("The ") + what + " cannot be used: " + why + ".");
}

std::vector<uint8_t> media_bytes(Media media) {
  const auto check_size = [&](uint64_t size) {
    if (size <= kMostMediaBytes) return;
    refuse_media(media.kind, "expected a file of at most 64 MiB, got one of " +
                                 std::to_string(size >> 20) + " MiB");
  };
  if (media.path.empty()) {
    check_size(media.bytes.size());
    return std::move(media.bytes);
  }
  try {
    const RegularFile file(media.path);
    check_size(file.size());
    std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
    file.read(0, bytes.data(), bytes.size());
    return bytes;
  } catch (const Error& error) {
    if (error.code() != code::kModelInvalid) throw;
    throw Error(code::kMediaInvalid, error.what());
  }
}

PictureFormat picture_format(const std::vector<uint8_t>& bytes) {
  if (begins(bytes, "\xFF\xD8\xFF")) return PictureFormat::kJpeg;
  if (begins(bytes, "\x89PNG\r\n\x1A\n")) return PictureFormat::kPng;
  if (begins(bytes, "GIF87a") || begins(bytes, "GIF89a")) return PictureFormat::kGif;
  if (begins(bytes, "BM")) return PictureFormat::kBmp;
  refuse_media(MediaKind::kImage,
               "expected a JPEG, PNG, GIF or BMP file, got " + named(bytes) + ". Convert it");
}

void expect_sound(const std::vector<uint8_t>& bytes) {
  if (is_sound(bytes)) return;
  refuse_media(MediaKind::kAudio,
               "expected a WAV, MP3 or FLAC file, got " + named(bytes) + ". Convert it");
}

}  // namespace cria
