// A saved sequence from any bytes: refused with ERR_STATE_INVALID, or read as what was written. The
// checksum keeps accidents out; the mutator mends it, since whoever means harm would, too.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "core/engine/state_file.h"
#include "core/model/error.h"
#include "core/model/hash.h"
#include "property.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

// As state_file.cpp lays it out.
constexpr size_t kCount = 12;
constexpr size_t kFingerprint = 16;
constexpr size_t kStateSize = 24;
constexpr size_t kChecksum = 32;
constexpr size_t kHeader = 40;

template <typename T>
T number(const uint8_t* data, size_t at) {
  T value;
  std::memcpy(&value, data + at, sizeof value);
  return value;
}

// A file in memory, which read_state_file() opens by its name.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(memfd_create("cria-state", 0)) {
    DEMAND(descriptor_ >= 0);
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
  }
  void hold(const uint8_t* data, size_t size) {
    DEMAND(ftruncate(descriptor_, 0) == 0);
    DEMAND(pwrite(descriptor_, data, size, 0) == static_cast<ssize_t>(size));
  }
  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (size < kHeader || seed % 4 == 0) return size;
  std::memcpy(data, "cria-seq\1\0\0\0", kCount);
  // An even number of tokens, whose hash goes on into that of the state.
  const auto count = static_cast<uint32_t>(
                         std::min<size_t>(number<uint32_t>(data, kCount), (size - kHeader) / 4)) &
                     ~1U;
  const uint64_t state = size - kHeader - count * sizeof(llama_token);
  const std::string body(reinterpret_cast<const char*>(data) + kHeader, size - kHeader);
  const uint64_t checksum = cria::hash_of(body);
  std::memcpy(data + kCount, &count, sizeof count);
  std::memcpy(data + kStateSize, &state, sizeof state);
  std::memcpy(data + kChecksum, &checksum, sizeof checksum);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static MemoryFile file;
  file.hold(data, size);
  const uint64_t fingerprint = size < kHeader ? 0 : number<uint64_t>(data, kFingerprint);
  for (const uint64_t asked : {fingerprint, fingerprint + 1}) {
    try {
      const cria::StateFile read = cria::read_state_file(file.path(), asked);
      DEMAND(asked == fingerprint);
      DEMAND(read.tokens.size() == number<uint32_t>(data, kCount));
      const size_t tokens = read.tokens.size() * sizeof(llama_token);
      DEMAND(kHeader + tokens + read.state.size() == size);
      DEMAND(tokens == 0 || std::memcmp(read.tokens.data(), data + kHeader, tokens) == 0);
      DEMAND(read.state.empty() ||
             std::memcmp(read.state.data(), data + kHeader + tokens, read.state.size()) == 0);
    } catch (const cria::Error& error) {
      DEMAND(std::string(error.code()) == cria::code::kStateInvalid);
    }
  }
  return 0;
}
