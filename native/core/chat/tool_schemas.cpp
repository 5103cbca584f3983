#include "core/chat/tool_schemas.h"

#include <json-schema-to-grammar.h>
#include <json-schema.h>

#include <algorithm>
#include <exception>
#include <new>
#include <optional>
#include <set>
#include <string>

#include "core/chat/plain_schema.h"
#include "core/chat/template_checks.h"
#include "core/model/error.h"

namespace cria::tool_schemas {

namespace {

// Each is added to a copy of the choice between all before it.
constexpr size_t kMostTools = 1000;
constexpr int kDeepest = 100;
// Rules with short names, roughly: of one tool, and of all.
constexpr size_t kMostWork = 20'000;
constexpr size_t kMostWorkOfAll = 60'000;
constexpr size_t kShortName = 64;
// The converter looks for characters by std::regex, which recurses for each, and nests a group for
// each.
constexpr size_t kLongestName = 128;
// A grammar may have 1 MB, and the tools are not all of it.
constexpr size_t kMostBytes = size_t{1} << 19;

// What is left for all tools of a request.
struct Left {
  size_t work = kMostWorkOfAll;
  size_t bytes = kMostBytes;
};

// What the converter does for a schema, told before it does it.
class Walk {
 public:
  Walk(const common_json& root, size_t work) : root_(root), left_(work) {}

  bool fits() { return node(root_, 0, 0); }
  size_t left() const { return left_; }

 private:
  bool spend(size_t rules, size_t name) {
    const size_t cost = rules * (1 + name / kShortName);
    if (cost > left_) return false;
    left_ -= cost;
    return true;
  }

  // `name`: how long the names of its rules are. What is referred to has its rules once.
  bool node(const common_json& schema, int depth, size_t name) {
    if (!visit(schema, depth, name) || !kinds(schema, depth)) return false;
    if (!schema.contains("$ref")) return inside(schema, depth, name, nullptr);
    const common_json* const target = target_of(schema.at("$ref"));
    if (target == nullptr) return false;
    return !followed_.insert(target).second || node(*target, depth + 1, kLongestName / 2);
  }

  // A part of an `allOf` is written out in each place. `properties`: of all parts, which become one
  // object's.
  bool part(const common_json& schema, int depth, size_t name, size_t& properties) {
    if (!visit(schema, depth, name)) return false;
    if (!schema.contains("$ref")) return inside(schema, depth, name, &properties);
    const common_json* const target = target_of(schema.at("$ref"));
    return target != nullptr && part(*target, depth + 1, name, properties);
  }

  bool visit(const common_json& schema, int depth, size_t name) {
    return schema.is_object() && depth <= kDeepest && spend(1, name);
  }

  // Which types a value may have is asked by following all references, each time. Where one comes
  // back to itself, so would a rule without a character between.
  bool kinds(const common_json& schema, int depth) {
    if (!schema.is_object() || depth > kDeepest) return false;
    if (schema.contains("$ref")) {
      const common_json* const target = target_of(schema.at("$ref"));
      if (target == nullptr || !spend(1, 0) || !open_.insert(target).second) return false;
      const bool ok = kinds(*target, depth + 1);
      open_.erase(target);
      return ok;
    }
    for (const char* key : {"anyOf", "oneOf", "allOf"}) {
      if (!schema.contains(key)) continue;
      for (size_t i = 0; i < times(schema); ++i) {
        for (const common_json& one : schema.at(key)) {
          if (!spend(1, 0) || !kinds(one, depth + 1)) return false;
        }
      }
    }
    return true;
  }

  // It is built for each of its types.
  static size_t times(const common_json& schema) {
    const bool several = schema.contains("type") && schema.at("type").is_array();
    return several ? schema.at("type").size() : 1;
  }

  bool inside(const common_json& schema, int depth, size_t name, size_t* all_properties) {
    const size_t count = times(schema);
    // A copy of all that is in it, each time.
    if (count > 1 && !spend(count * weight(schema) / 1024, 0)) return false;
    for (size_t i = 0; i < count; ++i) {
      for (const auto& [key, value] : schema.items()) {
        bool ok = true;
        if (key == "properties") {
          ok = properties(schema, depth, name);
          if (all_properties != nullptr) *all_properties += value.size();
        } else if (key == "anyOf" || key == "oneOf") {
          ok = each(value, depth, name, all_properties);
        } else if (key == "allOf") {
          size_t all = 0;
          ok = each(value, depth, name, &all) && spend(all * all / 4, name);
        } else if (key == "enum" || key == "const") {
          ok = spend(value.size() + weight(value) / kShortName, 0);
        } else if (key == "items" || key == "prefixItems" || key == "additionalProperties") {
          const size_t longer = name + 2 * key.size();
          ok = value.is_object() ? node(value, depth + 1, longer)
                                 : each(value, depth, longer, nullptr);
        } else if (key == "maxLength" || key == "maxItems" || key == "minLength" ||
                   key == "minItems") {
          ok = spend(value.get<size_t>() / 50, 0);  // it is written out
        }
        if (!ok) return false;
      }
    }
    return true;
  }

  // Each that is not required has a rule with each behind it.
  bool properties(const common_json& schema, int depth, size_t name) {
    const common_json& map = schema.at("properties");
    if (!map.is_object()) return false;
    std::set<std::string> required;
    if (schema.contains("required") && schema.at("required").is_array()) {
      for (const common_json& one : schema.at("required")) {
        if (one.is_string() && map.size() > required.size())
          required.insert(one.get<std::string>());
      }
    }
    size_t optional = 0;
    for (const auto& [property, value] : map.items()) {
      if (required.count(property) == 0) ++optional;
    }
    if (!spend(2 * map.size() + optional * optional / 4, name)) return false;
    const bool others = schema.contains("additionalProperties") &&
                        schema.at("additionalProperties") != common_json_value(false);
    for (const auto& [property, value] : map.items()) {
      if (property.size() > kLongestName) return false;
      if (others && !is_plain(property)) return false;
      if (!node(value, depth + 1, name + property.size())) return false;
    }
    return true;
  }

  // Any name but these is a set of characters for each of theirs, in which the converter escapes
  // none.
  static bool is_plain(const std::string& name) {
    return std::all_of(name.begin(), name.end(), [](char c) {
      return static_cast<unsigned char>(c) >= ' ' && c != '\\' && c != '[' && c != ']' &&
             c != '^' && c != '-' && c != '"';
    });
  }

  bool each(const common_json& list, int depth, size_t name, size_t* parts_properties) {
    if (!list.is_array()) return true;
    for (const common_json& one : list) {
      const bool ok = parts_properties != nullptr
                          ? part(one, depth + 1, name + 4, *parts_properties)
                          : node(one, depth + 1, name + 4);
      if (!ok) return false;
    }
    return true;
  }

  // plain() has put it there.
  const common_json* target_of(const common_json& reference) const {
    constexpr size_t kBefore = 8;  // #/$refs/
    if (!reference.is_string() || !root_.contains("$refs")) return nullptr;
    const std::string text = reference.get<std::string>();
    const common_json& targets = root_.at("$refs");
    if (text.size() <= kBefore || !targets.contains(text.substr(kBefore))) return nullptr;
    return &targets.at(text.substr(kBefore));
  }

  const common_json& root_;
  size_t left_;
  std::set<const common_json*> followed_;
  std::set<const common_json*> open_;
};

bool is_convertible(const common_json& schema, const std::string& tool, Left& left) {
  const size_t before = std::min(left.work, kMostWork);
  Walk walk(schema, before);
  const bool fits = walk.fits();
  left.work -= before - walk.left();
  if (!fits) return false;
  try {
    const common_chat_schema_document document = common_chat_schema_from_json(schema);
    const std::string grammar = build_grammar([&](const common_grammar_builder& builder) {
      builder.add_schema("tool-" + tool + "-schema", *document.root);
    });
    if (grammar.size() > left.bytes) return false;
    left.bytes -= grammar.size();
    return true;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    template_program::check_budget();
    return false;
  }
}

// Any value for each property: formats with a mark for each argument look for their names.
common_json loose(const common_json& schema) {
  common_json any = any_object();
  if (!schema.contains("properties") || !schema.at("properties").is_object()) return any;
  common_json properties = common_json::object();
  for (const auto& [name, value] : schema.at("properties").items())
    properties[name] = common_json::object();
  any["properties"] = properties;
  if (schema.contains("required")) any["required"] = schema.at("required");
  return any;
}

}  // namespace

common_json any_object() {
  common_json any = common_json::object();
  any["type"] = "object";
  return any;
}

common_json convertible(const common_json& tools) {
  if (tools.size() > kMostTools) {
    throw Error(code::kInvalidArgument, "Expected at most " + std::to_string(kMostTools) +
                                            " tools for the model's chat template, got " +
                                            std::to_string(tools.size()) + ": choose among them.");
  }
  common_json all = common_json::array();
  Left left;
  for (common_json tool : tools) {
    common_json& function = tool.at("function");
    if (function.contains("parameters")) {
      const std::string name = function.value("name", "");
      const common_json given = function.at("parameters");
      const std::optional<common_json> schema = plain(given, std::to_string(all.size()));
      if (schema && is_convertible(*schema, name, left)) {
        function["parameters"] = *schema;
      } else {
        const common_json names = loose(given);
        function["parameters"] = is_convertible(names, name, left) ? names : any_object();
      }
    }
    all.push_back(tool);
  }
  return all;
}

}  // namespace cria::tool_schemas
