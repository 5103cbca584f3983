// Decodes sounds, by miniaudio as mtmd carries it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace cria {

inline constexpr int32_t kMostSeconds = 30 * 60;

// One channel of samples from -1 to 1, `rate` of them a second. Empty once `goes_on`, which is
// asked regularly, returns false. Throws ERR_MEDIA_INVALID.
std::vector<float> decode_sound(const std::vector<uint8_t>& bytes, int32_t rate,
                                const std::function<bool()>& goes_on);

}  // namespace cria
