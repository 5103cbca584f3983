// The bytes of a picture or a sound, and what they are. Nothing is decoded whose header was not
// looked at: sizes are bounded before anything is allocated for them. All functions throw
// ERR_MEDIA_INVALID, which says what was expected and what came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/media/media.h"

namespace cria {

// Of a file, before it is decoded.
inline constexpr size_t kMostMediaBytes = size_t{64} << 20;

[[noreturn]] void refuse_media(MediaKind kind, const std::string& why);

// The given bytes, or those of the file at its path.
std::vector<uint8_t> media_bytes(Media media);

enum class PictureFormat { kJpeg, kPng, kGif, kBmp };

// By its first bytes.
PictureFormat picture_format(const std::vector<uint8_t>& bytes);

// WAV, FLAC or MP3, by its first bytes.
void expect_sound(const std::vector<uint8_t>& bytes);

// picture_check.cpp: the file is whole, and takes no longer to decode than its size suggests. stb
// shows what there is of a file that was cut off.
void check_picture(const std::vector<uint8_t>& bytes, PictureFormat format);

}  // namespace cria
