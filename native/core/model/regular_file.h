// A file that is opened for reading only if it is a regular one: a FIFO or a device could keep a
// thread waiting that nobody can wake. Links are followed.
#pragma once

#include <string>

#include "core/model/byte_source.h"

namespace cria {

class RegularFile : public ByteSource {
 public:
  // Throws ERR_MODEL_INVALID for what is not there, no regular file, or may not be read. Looks at
  // what it opened, not at the path: that may have become another file since somebody looked.
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
