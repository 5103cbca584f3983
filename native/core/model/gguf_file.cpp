#include "core/model/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "core/model/error.h"

namespace cria {

namespace {

constexpr uint32_t kOldestVersion = 2;
constexpr uint32_t kNewestVersion = 3;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMostDimensions = 4;
constexpr uint64_t kLongestName = 63;  // of a tensor: ggml's field has 64 bytes
constexpr uint64_t kLongestKey = 65535;
constexpr uint64_t kKeptText = uint64_t{1} << 16;
constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
// ggml's own limits for a string and for an array.
constexpr uint64_t kLongestArray = uint64_t{1} << 30;
// The fewest bytes that one entry takes.
constexpr uint64_t kLeastPerKey = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastPerTensor = 8 + 4 + 4 + 8;

constexpr std::array<const char*, 13> kNames{"u8",   "i8",  "u16", "i16", "u32", "i32", "f32",
                                             "bool", "str", "arr", "u64", "i64", "f64"};
constexpr std::array<uint8_t, 13> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

[[noreturn]] void refuse(const std::string& what) { throw Error(code::kModelInvalid, what); }

std::string quoted(const std::string& text) {
  constexpr size_t kShown = 80;
  std::string shown = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return shown + (text.size() > kShown ? "…\"" : "\"");
}

uint64_t padded(uint64_t size, uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

std::variant<uint64_t, int64_t, double, bool, std::string> widened(GgufType type,
                                                                   const char* bytes) {
  std::variant<uint64_t, int64_t, double, bool, std::string> scalar;
  with_number_of(type, [&](auto value) {
    using T = decltype(value);
    if constexpr (!std::is_same_v<T, bool>) std::memcpy(&value, bytes, sizeof value);
    if constexpr (std::is_same_v<T, bool>)
      scalar = bytes[0] != 0;
    else if constexpr (std::is_floating_point_v<T>)
      scalar = static_cast<double>(value);
    else if constexpr (std::is_signed_v<T>)
      scalar = static_cast<int64_t>(value);
    else
      scalar = static_cast<uint64_t>(value);
  });
  return scalar;
}

}  // namespace

const char* name_of(GgufType type) { return kNames.at(static_cast<size_t>(type)); }

// A window that moves over the bytes. Every read is checked against their end first.
class GgufFile::Reader {
 public:
  Reader(const ByteSource& source, uint64_t position, const std::function<bool()>& goes_on)
      : source_(source), goes_on_(goes_on), position_(position) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return source_.size() - position_; }

  void read(void* to, size_t count, const char* what) {
    expect(count, what);
    auto* next = static_cast<char*>(to);
    while (count > 0) {
      if (position_ < begin_ || position_ >= begin_ + window_.size()) fill();
      const auto at = static_cast<size_t>(position_ - begin_);
      const size_t part = std::min(count, window_.size() - at);
      std::memcpy(next, window_.data() + at, part);
      next += part;
      position_ += part;
      count -= part;
    }
  }

  template <typename T>
  T number(const char* what) {
    T value{};
    read(&value, sizeof value, what);
    return value;
  }

  void skip(uint64_t count, const char* what) {
    expect(count, what);
    position_ += count;
  }

  // The length of a text that is certainly there.
  uint64_t text_length(uint64_t most, const char* what) {
    const auto length = number<uint64_t>(what);
    if (length > most || length > left()) {
      refuse(std::string("the length of ") + what + " is " + std::to_string(length) +
             ", more than " + (length > left() ? "is left of the file" : std::to_string(most)));
    }
    return length;
  }

  std::string text(uint64_t most, const char* what) {
    std::string text(static_cast<size_t>(text_length(most, what)), '\0');
    read(text.data(), text.size(), what);
    return text;
  }

 private:
  void expect(uint64_t count, const char* what) const {
    if (count <= left()) return;
    refuse(std::string("the file ends in the middle of ") + what);
  }

  void fill() {
    constexpr uint64_t kWindow = uint64_t{1} << 16;
    if (goes_on_ && !goes_on_()) {
      throw Error(code::kDisposed, "The model was disposed while it was loading.");
    }
    window_.resize(static_cast<size_t>(std::min(kWindow, left())));
    source_.read(position_, window_.data(), window_.size());
    begin_ = position_;
  }

  const ByteSource& source_;
  const std::function<bool()>& goes_on_;
  uint64_t position_;
  uint64_t begin_ = 0;
  std::vector<char> window_;
};

GgufFile::GgufFile(const ByteSource& source, GgufBlock (*block_of)(uint32_t type),
                   const std::function<bool()>& goes_on)
    : source_(source) {
  Reader reader(source, 0, goes_on);
  char magic[4];
  reader.read(magic, sizeof magic, "its first bytes");
  if (std::memcmp(magic, "GGUF", sizeof magic) != 0) {
    refuse("its first bytes are " + quoted({magic, sizeof magic}) + ", not \"GGUF\"");
  }
  const auto version = reader.number<uint32_t>("the version");
  if (version < kOldestVersion || version > kNewestVersion) {
    const bool swapped = (version & 0xffff) == 0 && version != 0;
    refuse("its version is " + std::to_string(version) + ", not 2 or 3" +
           (swapped ? ": it was written for machines of another byte order" : ""));
  }
  const auto tensors = reader.number<uint64_t>("the number of tensors");
  const auto pairs = reader.number<uint64_t>("the number of keys");
  if (pairs > kMostKeys || pairs * kLeastPerKey > reader.left()) {
    refuse("it claims to have " + std::to_string(pairs) + " keys of metadata, more than " +
           (pairs > kMostKeys ? std::to_string(kMostKeys) : "fit into it"));
  }
  read_metadata(reader, pairs);
  if (tensors > kMostTensors || tensors * kLeastPerTensor > reader.left()) {
    refuse("it claims to have " + std::to_string(tensors) + " tensors, more than " +
           (tensors > kMostTensors ? std::to_string(kMostTensors) : "fit into it"));
  }
  read_tensors(reader, tensors, block_of);
  if (tensors > 0) place_tensors(padded(reader.position(), alignment()));
}

const GgufValue* GgufFile::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufFile::read_metadata(Reader& reader, uint64_t count) {
  const auto type_of = [&reader](const std::string& key) {
    const auto type = reader.number<uint32_t>("the type of a key");
    if (type < kNames.size()) return static_cast<GgufType>(type);
    refuse("the value of " + quoted(key) + " has the unknown type " + std::to_string(type));
  };
  uint64_t elements = 0;
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = reader.text(kLongestKey, "a key");
    if (key.empty() || key.find('\0') != std::string::npos) {
      refuse("key " + std::to_string(i) + " is empty, or contains a zero byte");
    }
    GgufValue value;
    value.type = type_of(key);
    if (value.is_array()) {
      value.element = type_of(key);
      value.count = reader.number<uint64_t>("the length of an array");
      value.offset = reader.position();
      if (value.element == GgufType::kArray) refuse(quoted(key) + " is a list of lists");
      const uint64_t size = kSizes.at(static_cast<size_t>(value.element));
      const uint64_t least = size == 0 ? sizeof(uint64_t) : size;
      if (value.count > kLongestArray || value.count * least > reader.left()) {
        refuse("the list " + quoted(key) + " claims to have " + std::to_string(value.count) +
               " elements, more than fit into the file");
      }
      elements += value.count;
      if (elements > kMostElements) {
        refuse("its lists have more than " + std::to_string(kMostElements) +
               " elements together, as of " + quoted(key));
      }
      if (size > 0) {
        reader.skip(value.count * size, "a list");
      } else {
        for (uint64_t element = 0; element < value.count; ++element)
          reader.skip(reader.text_length(kLongestArray, "a string in an array"),
                      "a string in an array");
      }
    } else if (value.type == GgufType::kString) {
      const uint64_t length = reader.text_length(kLongestArray, "a text");
      std::string text(static_cast<size_t>(std::min(length, kKeptText)), '\0');
      reader.read(text.data(), text.size(), "a text");
      reader.skip(length - text.size(), "a text");
      value.scalar = length > kKeptText ? std::string() : std::move(text);
    } else {
      char bytes[8] = {};
      reader.read(bytes, kSizes.at(static_cast<size_t>(value.type)), "a value");
      value.scalar = widened(value.type, bytes);
    }
    if (!values_.emplace(key, std::move(value)).second) {
      refuse("the key " + quoted(key) + " occurs twice");
    }
    keys_.push_back(std::move(key));
  }
}

uint64_t GgufFile::alignment() const {
  const GgufValue* value = find("general.alignment");
  if (value == nullptr) return kDefaultAlignment;
  const auto* number = std::get_if<uint64_t>(&value->scalar);
  const uint64_t alignment =
      value->type == GgufType::kUint32 && number != nullptr ? *number : uint64_t{0};
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
    refuse("\"general.alignment\" is not a power of two of type u32");
  }
  return alignment;
}

void GgufFile::read_tensors(Reader& reader, uint64_t count, GgufBlock (*block_of)(uint32_t type)) {
  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    GgufTensor tensor;
    tensor.name = reader.text(kLongestName, "a tensor's name");
    const std::string name = quoted(tensor.name);
    if (tensor.name.empty() || tensor.name.find('\0') != std::string::npos) {
      refuse("tensor " + std::to_string(i) + " has no name, or one with a zero byte in it");
    }
    if (!names.insert(tensor.name).second) refuse("the tensor " + name + " occurs twice");

    const auto dimensions = reader.number<uint32_t>("the dimensions of a tensor");
    if (dimensions > kMostDimensions) {
      refuse("the tensor " + name + " has " + std::to_string(dimensions) +
             " dimensions, more than " + std::to_string(kMostDimensions));
    }
    tensor.shape.fill(1);
    uint64_t elements = 1;
    for (uint32_t d = 0; d < dimensions; ++d) {
      const auto length = reader.number<int64_t>("the dimensions of a tensor");
      if (length < 1 || static_cast<uint64_t>(length) >= kMost / elements) {
        refuse("dimension " + std::to_string(d) + " of the tensor " + name + " is " +
               std::to_string(length) + ", which no tensor can have");
      }
      tensor.shape[d] = length;
      elements *= static_cast<uint64_t>(length);
    }

    tensor.type = reader.number<uint32_t>("the type of a tensor");
    const GgufBlock block = block_of(tensor.type);
    if (block.elements == 0 || block.bytes == 0) {
      refuse("the tensor " + name + " has type " + std::to_string(tensor.type) +
             ", which llama.cpp does not know, or not any more");
    }
    if (static_cast<uint64_t>(tensor.shape[0]) % block.elements != 0) {
      refuse("the rows of the tensor " + name + " have " + std::to_string(tensor.shape[0]) +
             " elements, not a multiple of its type's " + std::to_string(block.elements));
    }
    if (elements / block.elements > kMost / block.bytes) {
      refuse("the tensor " + name + " has more bytes than can be counted");
    }
    tensor.size = elements / block.elements * block.bytes;
    tensor.offset = reader.number<uint64_t>("the offset of a tensor");
    tensors_.push_back(std::move(tensor));
  }
}

// One after the other without a gap, as llama.cpp expects them, so none overlaps another.
void GgufFile::place_tensors(uint64_t data) {
  const uint64_t step = alignment();
  uint64_t next = 0;
  for (GgufTensor& tensor : tensors_) {
    if (tensor.offset != next) {
      refuse("the tensor " + quoted(tensor.name) + " claims to begin at " +
             std::to_string(tensor.offset) + ", expected " + std::to_string(next));
    }
    if (data > source_.size() || tensor.size > source_.size() - data ||
        next > source_.size() - data - tensor.size) {
      refuse("the tensor " + quoted(tensor.name) + " ends at byte " +
             std::to_string(data + next + tensor.size) + ", but the file has " +
             std::to_string(source_.size()) + ": it is not complete");
    }
    tensor.offset = data + next;
    next = padded(next + tensor.size, step);
  }
}

std::vector<double> GgufFile::numbers(const GgufValue& array) const {
  const size_t size = kSizes.at(static_cast<size_t>(array.element));
  std::vector<double> numbers;
  if (size == 0) return numbers;
  std::vector<char> bytes(static_cast<size_t>(array.count) * size);
  source_.read(array.offset, bytes.data(), bytes.size());
  numbers.reserve(static_cast<size_t>(array.count));
  for (size_t at = 0; at < bytes.size(); at += size) {
    const auto value = widened(array.element, bytes.data() + at);
    numbers.push_back(number_in(value).value_or(0));
  }
  return numbers;
}

void GgufFile::each_text(const GgufValue& array,
                         const std::function<void(const std::string&)>& use) const {
  const std::function<bool()> always;
  Reader reader(source_, array.offset, always);
  for (uint64_t i = 0; i < array.count; ++i)
    use(reader.text(kLongestArray, "a string in an array"));
}

}  // namespace cria
