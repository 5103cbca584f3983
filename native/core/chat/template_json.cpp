#include "core/chat/template_json.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace cria::template_program {

namespace {

bool has_fraction(const jinja::value& value) {
  if (jinja::is_val<jinja::value_float>(value)) return true;
  return std::any_of(value->val_arr.begin(), value->val_arr.end(), has_fraction) ||
         std::any_of(value->val_obj.begin(), value->val_obj.end(),
                     [](const auto& member) { return has_fraction(member.second); });
}

// The shortest that reads as the same number, with an exponent where Python has one.
std::string text_of(double value) {
  if (!std::isfinite(value))
    return std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
  char text[40];
  for (int decimals = 0; decimals <= 16; ++decimals) {
    std::snprintf(text, sizeof text, "%.*e", decimals, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  const std::string written = text;
  const size_t e = written.find('e');
  const int exponent = std::atoi(text + e + 1);
  std::string digits;  // whatever the locale has for a point
  for (const char c : written.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = std::signbit(value) ? "-" : "";
  const auto count = static_cast<int>(digits.size());
  if (exponent >= 16 || exponent < -4) {
    const std::string rest = count > 1 ? "." + digits.substr(1) : "";
    return sign + digits.substr(0, 1) + rest + written.substr(e);
  }
  if (exponent < 0) return sign + "0." + std::string(-exponent - 1, '0') + digits;
  if (count <= exponent + 1) return sign + digits + std::string(exponent + 1 - count, '0') + ".0";
  return sign + digits.substr(0, exponent + 1) + "." + digits.substr(exponent + 1);
}

// As the engine lays its JSON out.
class Writer {
 public:
  explicit Writer(const jinja::func_args& args) : context_(args.ctx) {
    const jinja::value indent = args.get_kwarg_or_pos("indent", 2);
    const jinja::value separators = args.get_kwarg_or_pos("separators", 3);
    ascii_ = args.get_kwarg_or_pos("ensure_ascii", 1)->as_bool();
    if (jinja::is_val<jinja::value_int>(indent)) indent_ = static_cast<int>(indent->as_int());
    if (indent_ >= 0) between_ = ",";
    if (!jinja::is_val<jinja::value_array>(separators)) return;
    const std::vector<jinja::value>& given = separators->as_array();
    if (!given.empty()) between_ = given[0]->as_string().str();
    if (given.size() > 1) colon_ = given[1]->as_string().str();
  }

  void write(const jinja::value& value, int level) {
    if (jinja::is_val<jinja::value_float>(value)) {
      text_ += text_of(value->as_float());
    } else if (jinja::is_val<jinja::value_array>(value)) {
      const std::vector<jinja::value>& all = value->as_array();
      write_all(all, level, '[', ']',
                [&](const jinja::value& element) { write(element, level + 1); });
    } else if (jinja::is_val<jinja::value_object>(value)) {
      write_all(value->as_ordered_object(), level, '{', '}', [&](const auto& member) {
        leaf(jinja::mk_val<jinja::value_string>(member.first->as_string().str()));
        text_ += colon_;
        write(member.second, level + 1);
      });
    } else {
      leaf(value);
    }
  }

  const std::string& text() const { return text_; }

 private:
  template <typename All, typename Each>
  void write_all(const All& all, int level, char open, char close, const Each& each) {
    text_ += open;
    bool first = true;
    for (const auto& one : all) {
      if (!first) text_ += between_;
      first = false;
      new_line(level + 1);
      each(one);
    }
    if (!first) new_line(level);
    text_ += close;
  }

  void new_line(int level) {
    if (indent_ >= 0) text_ += '\n';
    if (indent_ > 0) text_.append(static_cast<size_t>(level) * indent_, ' ');
  }

  void leaf(const jinja::value& value) {
    if (!ascii_) {
      text_ += jinja::value_to_json(value);
      return;
    }
    jinja::func_args args(context_);
    args.push_back(value);
    args.push_back(
        jinja::mk_val<jinja::value_kwarg>("ensure_ascii", jinja::mk_val<jinja::value_bool>(true)));
    text_ += jinja::global_builtins().at("tojson")(args)->as_string().str();
  }

  jinja::context& context_;
  bool ascii_ = false;
  int indent_ = -1;
  std::string between_ = ", ";
  std::string colon_ = ": ";
  std::string text_;
};

jinja::value same(const jinja::func_args& args) {
  return jinja::mk_val<jinja::value_string>(args.get_pos(0)->as_string());
}

struct Standing : jinja::value_string_t {
  using value_string_t::value_string_t;
  const jinja::func_builtins& get_builtins() const override {
    static const jinja::func_builtins kBuiltins = {{"tojson", same}, {"string", same}};
    return kBuiltins;
  }
};

}  // namespace

bool writes_fractions(const std::string& name, const jinja::func_args& args) {
  if (args.count() == 0) return false;
  const jinja::value value = args.get_pos(0);
  if (name == "string") return jinja::is_val<jinja::value_float>(value);
  if (name != "tojson" || !has_fraction(value)) return false;
  return !args.get_kwarg_or_pos("sort_keys", 4)->as_bool();  // the engine refuses to
}

jinja::value json_text(const jinja::func_args& args) {
  jinja::value value = args.get_pos(0);
  if (args.ctx.is_get_stats) jinja::value_t::stats_t::mark_used(value, true);
  Writer writer(args);
  writer.write(value, 0);
  return jinja::mk_val<jinja::value_string>(writer.text());
}

jinja::value standing_for(const jinja::value& text) {
  return std::make_shared<Standing>(text->as_string());
}

}  // namespace cria::template_program
