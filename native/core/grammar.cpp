#include "grammar.h"

#include <json-schema-to-grammar.h>
#include <json-schema.h>
#include <json.h>
#include <llama.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "deep_stack.h"
#include "error.h"

namespace cria::grammar {

namespace {

// The converter recurses into schemas and along chains of references, a few KiB for each, into the
// letters of a property's name, and std::regex into runs of signs in names.
constexpr size_t kStack = size_t{64} << 20;

// It copies the names of all later optional properties for each of them, over again for each that
// may come first: this many copies take it about a second.
constexpr double kMaxNameCopies = 2e7;

using Kind = common_chat_schema;

[[noreturn]] void refuse(const std::string& reason) {
  throw Error(code::kSchemaUnsupported, "This JSON Schema cannot be made a grammar: " + reason);
}

template <typename T>
T& as(common_chat_schema& node) {
  return static_cast<T&>(node);
}

void warn(const std::string& message) {
  ggml_log_callback log = nullptr;
  void* data = nullptr;
  llama_log_get(&log, &data);
  if (log != nullptr) log(GGML_LOG_LEVEL_WARN, (message + "\n").c_str(), data);
}

struct Inexpressible {};

// Asks the converter by having it convert this string alone, and leaves before it would print.
bool expressible(const common_chat_schema_string& string) {
  try {
    build_grammar([&](const common_grammar_builder& builder) {
      const std::string name = builder.add_schema("pattern", string);
      // A rule of that name with other content would make this one "pattern0".
      if (builder.add_rule("pattern", "string") == name) throw Inexpressible{};
    });
  } catch (const Inexpressible&) {
    return false;
  }
  return true;
}

// Goes through the parsed schema before the converter does.
class Checker {
 public:
  explicit Checker(common_chat_schema_document& document) : document_(document) {}

  void check() {
    check(document_.root);
    std::map<std::string, std::string> names;
    for (auto& [ref, node] : document_.refs) {
      check(node);
      check_name(ref, names);
    }
    // A pattern's node may have been replaced.
    for (common_chat_schema_ref* ref : refs_)
      ref->target = document_.refs.at(ref->ref).get();
    for (const common_chat_schema_ref* ref : refs_)
      check_end(*ref);
    for (common_chat_schema_all_of* node : all_ofs_)
      count_copies(properties_of(*node, 0));
  }

 private:
  void check(common_chat_schema_ptr& node) {
    switch (node->kind()) {
      case Kind::KIND_REF:
        refs_.push_back(&as<common_chat_schema_ref>(*node));
        break;
      case Kind::KIND_ANY_OF:
        for (common_chat_schema_ptr& child : as<common_chat_schema_any_of>(*node).children)
          check(child);
        break;
      case Kind::KIND_ALL_OF:
        all_ofs_.push_back(&as<common_chat_schema_all_of>(*node));
        for (common_chat_schema_ptr& child : all_ofs_.back()->children)
          check(child);
        break;
      case Kind::KIND_INTEGER: {
        const auto& integer = as<common_chat_schema_integer>(*node);
        check_bounds("integer", integer.minimum, integer.maximum);
        break;
      }
      case Kind::KIND_STRING:
        check_string(node);
        break;
      case Kind::KIND_ARRAY: {
        auto& array = as<common_chat_schema_array>(*node);
        if (array.max_items >= 0) check_bounds("number of items", array.min_items, array.max_items);
        check(array.items);
        break;
      }
      case Kind::KIND_TUPLE:
        for (common_chat_schema_ptr& item : as<common_chat_schema_tuple>(*node).items)
          check(item);
        break;
      case Kind::KIND_OBJECT:
        check_object(as<common_chat_schema_object>(*node));
        break;
      default:
        break;
    }
  }

  void check_string(common_chat_schema_ptr& node) {
    const auto& string = as<common_chat_schema_string>(*node);
    if (string.max_length >= 0)
      check_bounds("length of a string", string.min_length, string.max_length);
    if (string.pattern.empty() || expressible(string)) return;
    warn("JSON Schema: the pattern " + string.pattern +
         " has no equivalent in a grammar and stands for any string");
    // The alternatives "any string" and no other become the rule that the converter would make.
    auto any = std::make_unique<common_chat_schema_any_of>();
    any->children.push_back(std::make_unique<common_chat_schema_string>());
    node = std::move(any);
  }

  void check_object(common_chat_schema_object& object) {
    double optional = 0;
    for (common_chat_schema_property& property : object.properties) {
      if (object.additional_properties) check_beside_others(property.name);
      optional += property.required ? 0 : 1;
      check(property.schema);
    }
    if (object.additional_properties) check(object.additional_properties);
    count_copies(optional);
  }

  // The converter calls all other properties "*", and tells them from those named by character
  // classes in which it escapes nothing.
  static void check_beside_others(const std::string& name) {
    const bool plain = std::none_of(name.begin(), name.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20; });
    if (plain && name != "*" && name.find_first_of("^]\\\"") == std::string::npos) return;
    refuse("llama.cpp does not tell the property " + name +
           " from others, which additionalProperties lets in. Leave one of the two out.");
  }

  void count_copies(double optional) {
    copies_ += optional * optional * optional / 6;
    if (copies_ > kMaxNameCopies) {
      refuse(
          "an object has too many optional properties. Make more of them required, or nest them.");
    }
  }

  double properties_of(const common_chat_schema& node, int depth) {
    if (depth > 100) return 0;
    double count = 0;
    const auto add = [&](const std::vector<common_chat_schema_ptr>& children) {
      for (const common_chat_schema_ptr& child : children)
        count += properties_of(*child, depth + 1);
    };
    switch (node.kind()) {
      case Kind::KIND_REF: {
        const auto* target = static_cast<const common_chat_schema_ref&>(node).target;
        return target == nullptr ? 0 : properties_of(*target, depth + 1);
      }
      case Kind::KIND_OBJECT:
        return static_cast<double>(
            static_cast<const common_chat_schema_object&>(node).properties.size());
      case Kind::KIND_ANY_OF:
        if (depth == 1) add(static_cast<const common_chat_schema_any_of&>(node).children);
        return count;
      case Kind::KIND_ALL_OF:
        if (depth == 0) add(static_cast<const common_chat_schema_all_of&>(node).children);
        return count;
      default:
        return 0;
    }
  }

  template <typename T>
  static void check_bounds(const char* what, T least, T most) {
    if (least <= most) return;
    refuse("the least " + std::string(what) + " is " + std::to_string(least) +
           ", above the greatest, " + std::to_string(most) + ".");
  }

  // The converter names the rule of a reference after its letters and digits, and takes a rule of
  // that name for the same.
  static void check_name(const std::string& ref, std::map<std::string, std::string>& names) {
    std::string name;
    for (const char c : ref) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (plain || c == '-')
        name += c;
      else if (name.empty() || name.back() != '_')
        name += '_';
    }
    std::replace(name.begin(), name.end(), '_', '-');
    const auto [found, added] = names.emplace(name, ref);
    if (added) return;
    refuse("llama.cpp cannot tell the references " + found->second + " and " + ref +
           " apart: give them names that differ in letters and digits.");
  }

  // References that lead to nothing but references would be followed for ever.
  void check_end(const common_chat_schema_ref& ref) {
    std::set<const common_chat_schema*> seen;
    for (const common_chat_schema* node = &ref; node != nullptr && node->kind() == Kind::KIND_REF;
         node = static_cast<const common_chat_schema_ref*>(node)->target) {
      if (!seen.insert(node).second)
        refuse("the reference " + ref.ref + " leads back to itself and nowhere else.");
    }
  }

  common_chat_schema_document& document_;
  std::vector<common_chat_schema_ref*> refs_;
  std::vector<common_chat_schema_all_of*> all_ofs_;
  std::set<const common_chat_schema*> ending_;  // references that lead to something
  double copies_ = 0;
};

// The converter lets a property that is not among those named differ from them by a raw control
// character, or by a backslash with which no escape begins. These rules, alone, begin with a class.
void mend_keys(std::string& source) {
  const std::string rule = " ::= [\"] ( ";
  const std::string other = "[^\"";
  for (size_t at = 0; (at = source.find(rule, at)) != std::string::npos;) {
    for (at += rule.size(); at < source.size() && source[at] != '\n'; ++at) {
      if (source.compare(at, other.size(), other) != 0) continue;
      source.insert(at + other.size(), R"(\\\x7F\x00-\x1F)");
    }
  }
}

Rules convert(const std::string& schema) {
  try {
    common_chat_schema_document document = common_chat_schema_from_json(common_json::parse(schema));
    Checker(document).check();
    Rules rules;
    rules.source = build_grammar([&](const common_grammar_builder& builder) {
      rules.root = builder.add_schema("root", *document.root);
    });
    mend_keys(rules.source);
    return rules;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    std::string reason = error.what();
    const std::string heading = "JSON schema conversion failed:\n";
    if (reason.compare(0, heading.size(), heading) == 0) reason.erase(0, heading.size());
    refuse(reason);
  }
}

}  // namespace

Rules from_json_schema(const std::string& schema) {
  Rules rules;
  try {
    with_stack(kStack, [&] { rules = convert(schema); });
  } catch (const Error& error) {
    if (std::string(error.code()) != code::kOutOfMemory) throw;
    throw Error(code::kOutOfMemory, "Not enough memory to convert this JSON Schema.");
  }
  return rules;
}

}  // namespace cria::grammar
