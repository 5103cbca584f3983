// A file for reading, which has to be a regular one: on a FIFO or a device a thread could wait for
// ever. Links are followed.
#pragma once

#include <string>

#include "core/model/byte_source.h"

namespace cria {

class RegularFile : public ByteSource {
 public:
  // Throws ERR_MODEL_INVALID for a file that does not exist, is not regular, or may not be read.
  // Checks the opened file, not the path, which may have become another file in between.
  explicit RegularFile(const std::string& path);
  ~RegularFile() override;
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  uint64_t size() const override { return size_; }
  void read(uint64_t offset, void* to, size_t count) const override;

 private:
  std::string path_;
  int descriptor_;
  uint64_t size_ = 0;
};

}  // namespace cria
