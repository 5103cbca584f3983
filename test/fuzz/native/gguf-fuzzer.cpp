// The reader of GGUF files over any bytes: it ends, with an error of ours or a file whose every
// place lies within it. Needs neither llama.cpp nor ggml.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "core/model/error.h"
#include "core/model/gguf_file.h"

namespace {

class Bytes : public cria::ByteSource {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint64_t size() const override { return size_; }

  void read(uint64_t offset, void* to, size_t count) const override {
    if (offset > size_ || count > size_ - offset) __builtin_trap();
    if (count > 0) std::memcpy(to, data_ + offset, count);
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

// f32, f16, and a quantized type of 32 elements.
cria::GgufBlock block_of(uint32_t type) {
  if (type == 0) return {1, 4};
  if (type == 1) return {1, 2};
  if (type == 2) return {32, 18};
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  try {
    const cria::GgufFile file(bytes, block_of, [] { return true; });
    for (const std::string& key : file.keys()) {
      const cria::GgufValue* value = file.find(key);
      if (value == nullptr) __builtin_trap();
      if (!value->is_array()) continue;
      if (value->element == cria::GgufType::kString) {
        uint64_t count = 0;
        file.each_text(*value, [&count](const std::string&) { ++count; });
        if (count != value->count) __builtin_trap();
      } else if (file.numbers(*value).size() != value->count) {
        __builtin_trap();
      }
    }
    uint64_t end = 0;
    for (const cria::GgufTensor& tensor : file.tensors()) {
      if (tensor.elements() < 1 || tensor.offset < end) __builtin_trap();
      end = tensor.offset + tensor.size;
      if (end < tensor.offset || end > size) __builtin_trap();
    }
  } catch (const cria::Error&) {
  }
  return 0;
}
