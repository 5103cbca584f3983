#include "core/media/sound.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "core/media/media_file.h"

// Only what decodes. The functions are this file's own: mtmd has others of the same names.
#define MINIAUDIO_IMPLEMENTATION
#define MA_API static
#define ma_atomic_global_lock cria_ma_atomic_global_lock  // alone is not static
#define MA_NO_DEVICE_IO
#define MA_NO_ENCODING
#define MA_NO_ENGINE
#define MA_NO_GENERATION
#define MA_NO_NODE_GRAPH
#define MA_NO_RESOURCE_MANAGER
#include <miniaudio/miniaudio.h>

namespace cria {

namespace {

constexpr size_t kBlock = size_t{1} << 16;  // samples, some milliseconds of work

// mtmd pads a sound to its windows, but not from next to nothing.
constexpr size_t kFewestSamples = 16;

// Of files of floats that were scaled as 16 bits are.
constexpr float kLoudest = 65536;

// miniaudio takes what there is of a WAV that was cut off. Who writes to a pipe does not know the
// length, and says 0 or the most.
void check_wav(const std::vector<uint8_t>& bytes) {
  const auto word = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i)
      value |= static_cast<uint32_t>(bytes[at + i]) << (8 * i);
    return value;
  };
  constexpr uint32_t kRiff = 0x46464952;
  constexpr uint32_t kData = 0x61746164;
  constexpr size_t kHead = 8;
  if (bytes.size() < kHead || word(0) != kRiff) return;
  for (size_t at = 12; at + kHead <= bytes.size();) {
    const uint32_t length = word(at + 4);
    const size_t rest = bytes.size() - at - kHead;
    if (word(at) == kData) {
      if (length <= rest || length == UINT32_MAX) return;
      refuse_media(MediaKind::kAudio, "it is cut off: its header tells of " +
                                          std::to_string(length) +
                                          " bytes of samples, and it has " + std::to_string(rest));
    }
    if (length > rest) return;  // miniaudio says what is wrong
    at += kHead + length + length % 2;
  }
}

// A header that promises more than came: the file was cut off. Resampling may lose a little.
void check_length(ma_decoder& decoder, size_t decoded, size_t rate) {
  ma_uint64 promised = 0;
  if (ma_decoder_get_length_in_pcm_frames(&decoder, &promised) != MA_SUCCESS) return;
  if (promised <= decoded + rate / 10) return;
  refuse_media(MediaKind::kAudio, "it is cut off: its header tells of " +
                                      std::to_string(promised / rate) + " s, and it has " +
                                      std::to_string(decoded / rate) + " s");
}

// Files of floats may say anything, and what overflows on the way is no number any more.
void check_samples(const float* samples, size_t count) {
  const auto is_sane = [](float sample) { return std::abs(sample) <= kLoudest; };
  if (std::all_of(samples, samples + count, is_sane)) return;
  refuse_media(MediaKind::kAudio,
               "it is damaged: expected samples from -1 to 1, got some that are no numbers, or "
               "over " +
                   std::to_string(static_cast<int>(kLoudest)));
}

}  // namespace

std::vector<float> decode_sound(const std::vector<uint8_t>& bytes, int32_t rate,
                                const std::function<bool()>& goes_on) {
  expect_sound(bytes);
  check_wav(bytes);
  const ma_decoder_config config =
      ma_decoder_config_init(ma_format_f32, 1, static_cast<ma_uint32>(rate));
  ma_decoder decoder;
  if (ma_decoder_init_memory(bytes.data(), bytes.size(), &config, &decoder) != MA_SUCCESS) {
    refuse_media(MediaKind::kAudio, "its header is damaged, or of a kind that is not known");
  }
  const std::unique_ptr<ma_decoder, void (*)(ma_decoder*)> close(
      &decoder, [](ma_decoder* self) { ma_decoder_uninit(self); });

  // In blocks, and not as long as the header says: it may say anything.
  const size_t most = static_cast<size_t>(rate) * kMostSeconds;
  std::vector<float> samples;
  ma_result result = MA_SUCCESS;
  while (result == MA_SUCCESS) {
    if (!goes_on()) return {};
    const size_t before = samples.size();
    if (before > most) {
      refuse_media(MediaKind::kAudio, "expected at most " + std::to_string(kMostSeconds / 60) +
                                          " minutes. Cut it in pieces");
    }
    samples.resize(before + kBlock);
    ma_uint64 read = 0;
    result = ma_decoder_read_pcm_frames(&decoder, samples.data() + before, kBlock, &read);
    samples.resize(before + static_cast<size_t>(read));
    check_samples(samples.data() + before, samples.size() - before);
    if (read == 0) break;
  }
  check_length(decoder, samples.size(), static_cast<size_t>(rate));
  if (samples.size() < kFewestSamples) {
    refuse_media(MediaKind::kAudio, "it has " + (samples.empty() ? std::string("no") : "too few") +
                                        " samples. Expected some milliseconds at least");
  }
  return samples;
}

}  // namespace cria
