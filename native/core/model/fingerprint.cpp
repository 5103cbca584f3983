#include "core/model/fingerprint.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "core/engine/state_file.h"
#include "core/model/regular_file.h"

namespace cria {

namespace {

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kBlocks = 512;  // of all files together

// At least two blocks of each: the beginning, which has names and sizes, and the end.
uint64_t share_of(size_t files) { return std::max<uint64_t>(kBlocks / files, 2); }

void sample(const ByteSource& file, uint64_t blocks, std::string& text) {
  const uint64_t size = file.size();
  text += std::to_string(size) + '\0';
  const auto append = [&](uint64_t offset, uint64_t count) {
    const size_t before = text.size();
    text.resize(before + static_cast<size_t>(count));
    file.read(offset, text.data() + before, static_cast<size_t>(count));
  };
  if (size <= blocks * kBlock) return append(0, size);
  for (uint64_t block = 0; block < blocks; ++block) {
    append((size - kBlock) / (blocks - 1) * block, kBlock);
  }
  append(size - kBlock, kBlock);
}

}  // namespace

std::string fingerprint_of(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths)
    sample(RegularFile(path), share_of(paths.size()), text);
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash_of(text)));
  return digits;
}

}  // namespace cria
