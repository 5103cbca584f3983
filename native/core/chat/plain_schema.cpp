#include "core/chat/plain_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace cria::tool_schemas {

namespace {

constexpr size_t kMostCopied = size_t{4} << 20;
// As lib/sampling/gbnf has it: more is not written out.
constexpr double kMostRepetitions = 2000;
// The converter counts in 64 bits, and to 16 digits where a bound is alone.
constexpr double kHighest = 1e18;
constexpr double kHighestAlone = 1e15;

bool is_one_of(const std::string& key, std::initializer_list<std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// "~1" and "%20" of a reference's step.
std::string step_of(const std::string& text) {
  std::string step;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto hex = [&](size_t at) -> int {
      if (at >= text.size()) return -1;
      const char c = text[at];
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    if (text[i] == '%' && hex(i + 1) >= 0 && hex(i + 2) >= 0) {
      step += static_cast<char>(hex(i + 1) * 16 + hex(i + 2));
      i += 2;
    } else {
      step += text[i];
    }
  }
  for (size_t at = step.find('~'); at != std::string::npos; at = step.find('~', at + 1)) {
    if (step.compare(at, 2, "~0") == 0) step.replace(at, 2, "~");
    if (step.compare(at, 2, "~1") == 0) step.replace(at, 2, "/");
  }
  return step;
}

// Null where it leads nowhere.
const common_json* target_of(const common_json& root, const std::string& reference) {
  if (reference == "#") return &root;
  if (reference.compare(0, 2, "#/") != 0) return nullptr;
  const common_json* at = &root;
  for (size_t begin = 2; begin <= reference.size();) {
    const size_t end = std::min(reference.find('/', begin), reference.size());
    const std::string key = step_of(reference.substr(begin, end - begin));
    if (at->is_object() && at->contains(key)) {
      at = &at->at(key);
    } else if (at->is_array() && !key.empty() && key.size() < 9 &&
               key.find_first_not_of("0123456789") == std::string::npos &&
               std::stoul(key) < at->size()) {
      at = &at->at(static_cast<size_t>(std::stoul(key)));
    } else {
      return nullptr;
    }
    begin = end + 1;
  }
  return at;
}

double number_at(const common_json& object, const char* key) {
  return object.at(key).get<double>();
}

// Where the converter has them, a lower and an upper bound of an integer.
void keep_bounds(common_json& schema) {
  for (const char* key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
    if (!schema.contains(key)) continue;
    const bool usable = schema.at(key).is_number() && std::abs(number_at(schema, key)) <= kHighest;
    if (!usable) schema.erase(key);
  }
  std::optional<double> lowest;
  std::optional<double> highest;
  if (schema.contains("exclusiveMinimum"))
    lowest = std::floor(number_at(schema, "exclusiveMinimum")) + 1;
  if (schema.contains("minimum")) lowest = std::ceil(number_at(schema, "minimum"));
  if (schema.contains("exclusiveMaximum"))
    highest = std::ceil(number_at(schema, "exclusiveMaximum")) - 1;
  if (schema.contains("maximum")) highest = std::floor(number_at(schema, "maximum"));
  const bool drops = lowest && highest ? *lowest > *highest
                                       : std::abs(lowest.value_or(0)) >= kHighestAlone ||
                                             std::abs(highest.value_or(0)) >= kHighestAlone;
  if (!drops) return;
  for (const char* key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
    if (schema.contains(key)) schema.erase(key);
  }
}

void keep_counts(common_json& schema, const char* least, const char* most) {
  for (const char* key : {least, most}) {
    if (!schema.contains(key)) continue;
    const bool usable = schema.at(key).is_number_integer() && number_at(schema, key) >= 0 &&
                        number_at(schema, key) <= kMostRepetitions;
    if (!usable) schema.erase(key);
  }
  const bool both = schema.contains(least) && schema.contains(most);
  if (both && number_at(schema, least) > number_at(schema, most)) schema.erase(most);
}

// Each once: a schema is built again for each of its types.
common_json kinds_of(const common_json& types) {
  common_json once = common_json::array();
  std::set<std::string> known;
  for (const common_json& type : types) {
    if (!type.is_string() || known.insert(type.get<std::string>()).second) once.push_back(type);
  }
  return once;
}

class Plain {
 public:
  Plain(const common_json& root, const std::string& owner) : root_(root), owner_(owner) {}

  std::optional<common_json> made() {
    common_json schema = schema_of(root_);
    common_json targets = common_json::object();
    // More may be found on the way.
    for (size_t i = 0; i < targets_.size() && !lost_; ++i)
      targets[name_of(i)] = schema_of(*targets_[i]);
    if (lost_) return std::nullopt;
    if (!targets_.empty()) schema["$refs"] = targets;
    return schema;
  }

 private:
  std::string name_of(size_t index) const { return owner_ + "-" + std::to_string(index); }

  common_json schema_of(const common_json& given) {
    if (given.is_boolean() && given.get<bool>()) return common_json::object();
    if (given.is_array()) {
      common_json array = common_json::array();
      for (const common_json& element : given)
        array.push_back(schema_of(element));
      return array;
    }
    if (!given.is_object()) return given;
    common_json schema = common_json::object();
    for (const auto& [key, value] : given.items()) {
      if (key == "const") {
        schema[key] = value;
      } else if (value.is_null() || is_one_of(key, {"pattern", "$defs", "definitions", "$refs"})) {
        continue;
      } else if (is_one_of(key, {"enum", "required", "default", "examples", "description"})) {
        schema[key] = value;
      } else if (key == "$ref" && value.is_string()) {
        schema[key] = reference_to(value.get<std::string>());
      } else if (key == "properties" && value.is_object()) {
        schema[key] = map_of(value);
      } else if (key == "type" && value.is_array()) {
        schema[key] = kinds_of(value);
      } else if (key == "additionalProperties" && value.is_boolean()) {
        schema[key] = value;
      } else if (key != "format" || value.is_string()) {
        schema[key] = schema_of(value);
      }
    }
    // A template that asks for them would get a function of that name.
    const bool arrays = schema.contains("type") && schema.at("type") == "array";
    if (arrays && !schema.contains("items") && !schema.contains("prefixItems")) {
      schema["items"] = common_json::object();
    }
    keep_bounds(schema);
    keep_counts(schema, "minLength", "maxLength");
    keep_counts(schema, "minItems", "maxItems");
    return schema;
  }

  common_json map_of(const common_json& given) {
    common_json map = common_json::object();
    for (const auto& [name, value] : given.items())
      map[name] = schema_of(value);
    return map;
  }

  std::string reference_to(const std::string& text) {
    const common_json* const target = target_of(root_, text);
    if (target == nullptr) {
      lost_ = true;
      return text;
    }
    const auto [at, fresh] = known_.emplace(target, targets_.size());
    if (fresh) {
      copied_ += weight(*target);
      lost_ = lost_ || copied_ > kMostCopied;
      targets_.push_back(target);
    }
    return "#/$refs/" + name_of(at->second);
  }

  const common_json& root_;
  const std::string& owner_;
  std::map<const common_json*, size_t> known_;
  std::vector<const common_json*> targets_;
  size_t copied_ = 0;
  bool lost_ = false;
};

}  // namespace

size_t weight(const common_json& value) {
  if (value.is_string()) return 16 + value.get<std::string>().size();
  size_t sum = 16;
  if (value.is_array()) {
    for (const common_json& element : value)
      sum += weight(element);
  } else if (value.is_object()) {
    for (const auto& [key, element] : value.items())
      sum += key.size() + weight(element);
  }
  return sum;
}

std::optional<common_json> plain(const common_json& schema, const std::string& owner) {
  return Plain(schema, owner).made();
}

}  // namespace cria::tool_schemas
