#include "core/chat/template_texts.h"

#include <cctype>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "core/chat/template_checks.h"

namespace cria::template_program {

namespace {

// Bytes compared, in the worst case.
constexpr double kLongestSearch = 4e9;
constexpr size_t kCheckEvery = 4096;

jinja::value undefined_as_text() { return jinja::mk_val<jinja::value_string>(""); }

jinja::value replaced(const jinja::func_args& args) {
  args.ensure_vals<jinja::value_string, jinja::value_string, jinja::value_string, jinja::value_int>(
      true, true, true, false);
  if (args.count() > 3 && args.get_pos(3)->as_int() > 0) {
    throw jinja::not_implemented_exception("String replace with count argument not implemented");
  }
  const jinja::string given = args.get_pos(0)->as_string();
  const std::string text = given.str();
  const std::string what = args.get_pos(1)->as_string().str();
  const std::string with = args.get_pos(2)->as_string().str();
  check_search(what.size(), text.size());
  std::string result;
  if (what.empty()) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (i % kCheckEvery == 0) check_budget();
      result.append(with).push_back(text[i]);
    }
    result += with;
  } else {
    size_t copied = 0;
    size_t found = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, copied)) {
      if (found++ % kCheckEvery == 0) check_budget();
      result.append(text, copied, at - copied).append(with);
      copied = at + what.size();
    }
    result.append(text, copied, std::string::npos);
  }
  auto value = jinja::mk_val<jinja::value_string>(result);
  value->val_str.mark_input_based_on(given);
  return value;
}

jinja::value stripped(const jinja::func_args& args, bool left, bool right) {
  if (!jinja::is_val<jinja::value_string>(args.get_pos(0))) {
    throw jinja::raised_exception("strip() first argument must be a string");
  }
  std::optional<std::vector<bool>> wanted;
  const jinja::value chars = args.get_kwarg_or_pos("chars", 1);
  if (!chars->is_undefined()) {
    wanted.emplace(256, false);
    for (const char c : chars->as_string().str())
      (*wanted)[static_cast<unsigned char>(c)] = true;
  }
  const auto goes = [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return wanted ? (*wanted)[byte] : std::isspace(byte) != 0;
  };

  std::vector<jinja::string_part> parts = args.get_pos(0)->as_string().parts;
  size_t begin = 0;
  size_t end = parts.size();
  for (; left && begin < end; ++begin) {
    std::string& text = parts[begin].val;
    size_t kept = 0;
    while (kept < text.size() && goes(text[kept]))
      ++kept;
    text.erase(0, kept);
    if (!text.empty()) break;
  }
  for (; right && begin < end; --end) {
    std::string& text = parts[end - 1].val;
    while (!text.empty() && goes(text.back()))
      text.pop_back();
    if (!text.empty()) break;
  }
  auto value = jinja::mk_val<jinja::value_string>();
  value->val_str.parts.assign(std::make_move_iterator(parts.begin() + static_cast<long>(begin)),
                              std::make_move_iterator(parts.begin() + static_cast<long>(end)));
  return value;
}

}  // namespace

bool is_text_function(const std::string& name) {
  return name == "replace" || name == "strip" || name == "lstrip" || name == "rstrip" ||
         name == "trim";
}

jinja::value text_function(const std::string& name, const jinja::func_args& args) {
  if (args.get_pos(0)->is_undefined()) return undefined_as_text();
  if (name == "replace") return replaced(args);
  return stripped(args, name != "rstrip", name != "lstrip");
}

void check_search(size_t needle, size_t haystack) {
  if (needle > haystack) return;
  const double steps = static_cast<double>(needle) * static_cast<double>(haystack - needle + 1);
  if (steps > kLongestSearch) throw std::runtime_error("A text is too long to be searched for.");
}

}  // namespace cria::template_program
