#include "core/model/metadata_overrides.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/model/error.h"

namespace cria {

namespace {

using Value = decltype(MetadataOverride::second);

[[noreturn]] void refuse(const std::string& key, const std::string& expected) {
  throw Error(code::kInvalidArgument, "Expected " + expected + " for \"" + key +
                                          "\" in `metadataOverrides`, as the file has it.");
}

struct Range {
  int64_t min;
  int64_t max;
};

std::optional<Range> whole_numbers(GgufType type) {
  std::optional<Range> range;
  with_number_of(type, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
      const auto max = std::min<uint64_t>(std::numeric_limits<T>::max(), kMost);
      range = Range{static_cast<int64_t>(std::numeric_limits<T>::min()), static_cast<int64_t>(max)};
    }
  });
  return range;
}

Value in_kind_of(GgufType type, const std::string& key, const Value& value) {
  if (const std::optional<Range> range = whole_numbers(type)) {
    const auto* number = std::get_if<int64_t>(&value);
    if (number != nullptr && *number >= range->min && *number <= range->max) return value;
    refuse(key, "a whole number from " + std::to_string(range->min) + " to " +
                    std::to_string(range->max));
  }
  switch (type) {
    case GgufType::kFloat32:
    case GgufType::kFloat64:
      if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<double>(*number);
      if (!std::holds_alternative<double>(value)) refuse(key, "a number");
      return value;
    case GgufType::kBool:
      if (!std::holds_alternative<bool>(value)) refuse(key, "a boolean");
      return value;
    case GgufType::kString:
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
    if (!(std::fabs(*number) <= std::numeric_limits<float>::max())) {
      refuse(key, "a number that 32 bits can hold");
    }
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
                                                    const GgufFile& file) {
  std::vector<llama_model_kv_override> entries;
  if (overrides.empty()) return entries;
  for (const auto& [key, value] : overrides) {
    // These describe the layout of the files: with other values llama.cpp would open other files.
    if (key.rfind("split.", 0) == 0 || key == "general.alignment") {
      throw Error(code::kInvalidArgument, "\"" + key + "\" cannot be in `metadataOverrides`.");
    }
    const GgufValue* known = file.find(key);
    entries.push_back(
        entry_of(key, known != nullptr ? in_kind_of(known->type, key, value) : value));
  }
  entries.emplace_back();  // an empty key ends the list
  return entries;
}

Metadata::Metadata(const GgufFile& file, const std::vector<MetadataOverride>& overrides)
    : file_(file), overrides_(overrides.begin(), overrides.end()), keys_(file.keys()) {
  for (const auto& [key, value] : overrides)
    if (file.find(key) == nullptr) keys_.push_back(key);
  architecture_ = text("general.architecture").value_or("");
}

std::optional<std::string> Metadata::text(const std::string& key) const {
  const auto other = overrides_.find(key);
  if (other != overrides_.end()) {
    if (const auto* text = std::get_if<std::string>(&other->second)) return *text;
  }
  const GgufValue* value = file_.find(key);
  if (value == nullptr || value->type != GgufType::kString) return std::nullopt;
  return std::get<std::string>(value->scalar);
}

std::optional<double> Metadata::number(const std::string& key) const {
  const auto other = overrides_.find(key);
  if (other != overrides_.end()) return number_in(other->second);
  const GgufValue* value = file_.find(key);
  if (value == nullptr || value->is_array()) return std::nullopt;
  return number_in(value->scalar);
}

std::vector<double> Metadata::numbers(const std::string& key) const {
  if (const std::optional<double> one = number(key)) return {*one};
  const GgufValue* value = file_.find(key);
  if (value == nullptr || !value->is_array()) return {};
  return file_.numbers(*value);
}

}  // namespace cria
