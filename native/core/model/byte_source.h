// Bytes that can be read at any place: a file, or in tests a piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cria {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  virtual uint64_t size() const = 0;

  // Reads all of [offset, offset + count), or throws: never less.
  virtual void read(uint64_t offset, void* to, size_t count) const = 0;
};

}  // namespace cria
