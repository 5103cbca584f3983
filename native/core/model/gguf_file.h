// What a GGUF file says about itself, read by our own code: its metadata and the table of its
// tensors. Every length is compared with what is left of the file before it is used. One pass,
// linear in the size of the header. What a model needs of it is the matter of model_check.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/model/byte_source.h"

namespace cria {

// Numbered as in the format.
enum class GgufType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// "u32", as ggml calls them.
const char* name_of(GgufType type);

// Calls `use` with a zero of the type that holds such a number or flag; not for text and lists.
template <typename Use>
void with_number_of(GgufType type, const Use& use) {
  switch (type) {
    case GgufType::kUint8:
      return use(uint8_t{});
    case GgufType::kInt8:
      return use(int8_t{});
    case GgufType::kUint16:
      return use(uint16_t{});
    case GgufType::kInt16:
      return use(int16_t{});
    case GgufType::kUint32:
      return use(uint32_t{});
    case GgufType::kInt32:
      return use(int32_t{});
    case GgufType::kFloat32:
      return use(float{});
    case GgufType::kBool:
      return use(bool{});
    case GgufType::kUint64:
      return use(uint64_t{});
    case GgufType::kInt64:
      return use(int64_t{});
    case GgufType::kFloat64:
      return use(double{});
    case GgufType::kString:
    case GgufType::kArray:
      return;
  }
}

// The number or flag in a variant that may hold text instead.
template <typename Variant>
std::optional<double> number_in(const Variant& scalar) {
  return std::visit(
      [](const auto& value) -> std::optional<double> {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
          return std::nullopt;
        else
          return static_cast<double>(value);
      },
      scalar);
}

struct GgufValue {
  GgufType type{};
  // A number, widened, a flag or a text. Texts longer than any check looks at are left out.
  std::variant<uint64_t, int64_t, double, bool, std::string> scalar;
  // Of an array: the type and number of its elements, and where in the file they are.
  GgufType element{};
  uint64_t count = 0;
  uint64_t offset = 0;

  bool is_array() const { return type == GgufType::kArray; }
};

struct GgufTensor {
  std::string name;
  std::array<int64_t, 4> shape;
  uint32_t type;    // as ggml numbers them
  uint64_t offset;  // from the beginning of the file
  uint64_t size;    // bytes

  int64_t elements() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  bool is_vector() const { return shape[1] * shape[2] * shape[3] == 1; }
};

// How ggml stores a tensor's type: `elements` values in `bytes`. Both are 0 for an unknown type.
struct GgufBlock {
  uint64_t elements;
  uint64_t bytes;
};

class GgufFile {
 public:
  // Far more than any model has. llama.cpp compares every key and every name with all others, and
  // reads lists element by element: so much takes it about a second.
  static constexpr uint64_t kMostKeys = 8192;
  static constexpr uint64_t kMostTensors = 8192;
  static constexpr uint64_t kMostElements = uint64_t{1} << 23;  // of all lists together

  // Throws ERR_MODEL_INVALID, which names the key or tensor and what is wrong with it, and
  // ERR_DISPOSED once `goes_on`, which is asked regularly, returns false. The source has to outlive
  // this object.
  GgufFile(const ByteSource& source, GgufBlock (*block_of)(uint32_t type),
           const std::function<bool()>& goes_on);

  // In the file's order.
  const std::vector<std::string>& keys() const { return keys_; }
  const GgufValue* find(const std::string& key) const;
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const ByteSource& source() const { return source_; }

  // The elements of an array of numbers, widened; calls `use` for each element of an array of
  // texts.
  std::vector<double> numbers(const GgufValue& array) const;
  void each_text(const GgufValue& array, const std::function<void(const std::string&)>& use) const;

 private:
  class Reader;

  void read_metadata(Reader& reader, uint64_t count);
  void read_tensors(Reader& reader, uint64_t count, GgufBlock (*block_of)(uint32_t type));
  void place_tensors(uint64_t data);
  uint64_t alignment() const;

  const ByteSource& source_;
  std::vector<std::string> keys_;
  std::unordered_map<std::string, GgufValue> values_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace cria
