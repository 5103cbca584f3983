#include "metadata_overrides.h"

#include <gguf.h>

#include <cstring>
#include <limits>
#include <memory>
#include <optional>

#include "error.h"

namespace cria {

namespace {

using Value = decltype(MetadataOverride::second);
using File = std::unique_ptr<gguf_context, decltype(&gguf_free)>;

File open(const std::string& path) {
  gguf_init_params params{};
  params.no_alloc = true;
  return File(gguf_init_from_file(path.c_str(), params), gguf_free);
}

[[noreturn]] void refuse(const std::string& key, const std::string& expected) {
  throw Error(code::kInvalidArgument, "Expected " + expected + " for \"" + key +
                                          "\" in `metadataOverrides`, as the file has it.");
}

struct Range {
  int64_t min;
  int64_t max;
};

template <typename T>
constexpr Range range_of() {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

std::optional<Range> whole_numbers(gguf_type type) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  switch (type) {
    case GGUF_TYPE_UINT8:
      return range_of<uint8_t>();
    case GGUF_TYPE_INT8:
      return range_of<int8_t>();
    case GGUF_TYPE_UINT16:
      return range_of<uint16_t>();
    case GGUF_TYPE_INT16:
      return range_of<int16_t>();
    case GGUF_TYPE_UINT32:
      return range_of<uint32_t>();
    case GGUF_TYPE_INT32:
      return range_of<int32_t>();
    case GGUF_TYPE_UINT64:
      return Range{0, kMax};
    case GGUF_TYPE_INT64:
      return range_of<int64_t>();
    default:
      return std::nullopt;
  }
}

Value in_kind_of(gguf_type type, const std::string& key, const Value& value) {
  if (const std::optional<Range> range = whole_numbers(type)) {
    const auto* number = std::get_if<int64_t>(&value);
    if (number != nullptr && *number >= range->min && *number <= range->max) return value;
    refuse(key, "a whole number from " + std::to_string(range->min) + " to " +
                    std::to_string(range->max));
  }
  switch (type) {
    case GGUF_TYPE_FLOAT32:
    case GGUF_TYPE_FLOAT64:
      if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<double>(*number);
      if (!std::holds_alternative<double>(value)) refuse(key, "a number");
      return value;
    case GGUF_TYPE_BOOL:
      if (!std::holds_alternative<bool>(value)) refuse(key, "a boolean");
      return value;
    case GGUF_TYPE_STRING:
      if (!std::holds_alternative<std::string>(value)) refuse(key, "a string");
      return value;
    default:
      throw Error(code::kInvalidArgument, "\"" + key +
                                              "\" is a list in the file: `metadataOverrides` "
                                              "replaces single values only.");
  }
}

llama_model_kv_override entry_of(const std::string& key, const Value& value) {
  llama_model_kv_override entry{};
  if (key.empty() || key.size() >= sizeof entry.key) {
    throw Error(code::kInvalidArgument,
                "Expected keys of 1 to 127 bytes in `metadataOverrides`, got \"" + key + "\".");
  }
  std::memcpy(entry.key, key.data(), key.size());
  if (const auto* flag = std::get_if<bool>(&value)) {
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
    entry.val_bool = *flag;
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
    entry.val_i64 = *integer;
  } else if (const auto* number = std::get_if<double>(&value)) {
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_FLOAT;
    entry.val_f64 = *number;
  } else {
    const auto& text = std::get<std::string>(value);
    if (text.size() >= sizeof entry.val_str) {
      throw Error(code::kInvalidArgument,
                  "Expected text of at most 127 bytes for \"" + key + "\" in `metadataOverrides`.");
    }
    entry.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
    std::memcpy(entry.val_str, text.data(), text.size());
  }
  return entry;
}

}  // namespace

std::vector<llama_model_kv_override> read_overrides(const std::vector<MetadataOverride>& overrides,
                                                    const std::string& path) {
  std::vector<llama_model_kv_override> entries;
  if (overrides.empty()) return entries;
  const File file = open(path);
  for (const auto& [key, value] : overrides) {
    const int64_t at = file ? gguf_find_key(file.get(), key.c_str()) : -1;
    const bool known = at >= 0;
    entries.push_back(
        entry_of(key, known ? in_kind_of(gguf_get_kv_type(file.get(), at), key, value) : value));
  }
  entries.emplace_back();  // an empty key ends the list
  return entries;
}

}  // namespace cria
