#include "core/chat/template_functions.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/chat/template_checks.h"
#include "core/chat/template_json.h"
#include "core/chat/template_texts.h"
#include "core/chat/template_values.h"

namespace cria::template_program {

namespace {

constexpr int64_t kLongestRange = 100000;
constexpr size_t kLongestSearched = size_t{1} << 16;

int64_t integer_at(const jinja::func_args& args, size_t index, int64_t otherwise) {
  if (index >= args.count()) return otherwise;
  const jinja::value value = args.get_pos(index);
  return jinja::is_val<jinja::value_int>(value) ? value->as_int() : otherwise;
}

}  // namespace

void check_range(const jinja::func_args& args) {
  const bool bounded = args.count() > 1;
  const int64_t start = bounded ? integer_at(args, 0, 0) : 0;
  const int64_t stop = integer_at(args, bounded ? 1 : 0, 0);
  const auto step = static_cast<double>(integer_at(args, 2, 1));
  const double count = (static_cast<double>(stop) - static_cast<double>(start)) / step;
  constexpr int64_t kFar = int64_t{1} << 60;  // the engine's counter would go round
  if (count > kLongestRange || stop > kFar || stop < -kFar) {
    throw std::runtime_error("A range is longer than " + std::to_string(kLongestRange) + ".");
  }
}

void check_append(const jinja::value& array, const jinja::func_args& args) {
  spend_append();
  ValueCheck check(array);
  for (const jinja::value& given : args.get_args())
    check(given);
}

void check_held(const jinja::func_args& args) {
  for (const jinja::value& given : args.get_args()) {
    if (const auto* named = jinja::cast_val<jinja::value_kwarg>(given)) ValueCheck()(named->val);
  }
}

namespace {

bool has_input(const jinja::value& text) {
  const std::vector<jinja::string_part>& parts = text->val_str.parts;
  return std::any_of(parts.begin(), parts.end(),
                     [](const jinja::string_part& part) { return part.is_input; });
}

}  // namespace

void mark_pieces(const jinja::value& text, const jinja::value& pieces) {
  if (!has_input(text)) return;
  for (const jinja::value& piece : pieces->val_arr)
    piece->val_str.mark_input();
}

void mark_joined(const jinja::value& pieces, const jinja::value& text) {
  const std::vector<jinja::value>& all = pieces->val_arr;
  if (std::any_of(all.begin(), all.end(), has_input)) text->val_str.mark_input();
}

namespace {

void add_arguments(const jinja::statement* filter, jinja::context& context,
                   jinja::func_args& args) {
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  if (call == nullptr) return;
  for (const jinja::statement_ptr& argument : call->args)
    args.push_back(argument->execute(context));
}

// `array | join(between, attribute)`. Unlike the engine's own, it keeps the marks of the texts.
struct MarkedJoin : jinja::expression {
  MarkedJoin(jinja::statement_ptr array, jinja::statement_ptr filter)
      : array_(std::move(array)), filter_(std::move(filter)) {
    pos = filter_->pos;
  }
  std::string type() const override { return "FilterExpression"; }

  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value array = array_->execute(context);
    if (context.is_get_stats) jinja::value_t::stats_t::mark_used(array);
    if (!jinja::is_val<jinja::value_array>(array)) return joined_by_the_engine(context, array);
    jinja::func_args args(context);
    args.push_back(array);
    add_arguments(filter_.get(), context, args);
    const jinja::value between = args.get_kwarg_or_pos("d", 1);
    const jinja::value attribute = args.get_kwarg_or_pos("attribute", 2);
    auto joined = jinja::mk_val<jinja::value_string>();
    bool first = true;
    for (jinja::value element : array->as_array()) {
      if (jinja::is_val<jinja::value_string>(attribute)) element = element->at(attribute);
      if (jinja::is_val<jinja::value_int>(attribute)) element = element->at(attribute->as_int());
      if (!first && !between->is_undefined()) joined->val_str.append(between->as_string());
      joined->val_str.append(element->as_string());
      first = false;
    }
    return joined;
  }

 private:
  // An undefined value gives an empty text, everything else an error.
  static jinja::value joined_by_the_engine(jinja::context& context, const jinja::value& value) {
    const jinja::func_builtins& builtins = value->get_builtins();
    const auto join = builtins.find("join");
    if (join == builtins.end()) throw std::runtime_error("join() needs an array");
    return jinja::mk_val<jinja::value_func>("join", join->second, value)
        ->invoke(jinja::func_args(context));
  }

  jinja::statement_ptr array_;
  jinja::statement_ptr filter_;
};

// std::sort leaves its array if the order is inconsistent, as between texts and numbers.
class Sorted {
 public:
  void add(const jinja::value& value) {
    ++all_;
    texts_ += jinja::is_val<jinja::value_string>(value) ? 1 : 0;
    const bool number =
        jinja::is_val<jinja::value_int>(value) || jinja::is_val<jinja::value_float>(value);
    numbers_ += number ? 1 : 0;
  }
  void check() const {
    if (texts_ == all_ || numbers_ == all_ || texts_ + numbers_ == 0) return;
    throw std::runtime_error("Only texts, or only numbers, can be sorted.");
  }

 private:
  size_t all_ = 0;
  size_t texts_ = 0;
  size_t numbers_ = 0;
};

void check_sort(const jinja::func_args& args) {
  const jinja::value attribute = args.get_kwarg_or_pos("attribute", 3);
  Sorted sorted;
  for (const jinja::value& element : args.get_pos(0)->val_arr) {
    jinja::value none = jinja::mk_val<jinja::value_undefined>();
    if (attribute->is_undefined()) {
      sorted.add(element);
    } else if (jinja::is_val<jinja::value_object>(element)) {
      sorted.add(element->at(attribute, none));
    } else if (jinja::is_val<jinja::value_array>(element)) {
      sorted.add(element->at(attribute->val_int, none));
    }
  }
  sorted.check();
}

void check_dictsort(const jinja::func_args& args) {
  Sorted keys;
  Sorted values;
  for (const auto& [key, value] : args.get_pos(0)->val_obj) {
    keys.add(key);
    values.add(value);
  }
  keys.check();
  if (!args.get_kwarg_or_pos("by", 2)->is_undefined()) values.check();
}

}  // namespace

// Checks that the engine's functions of lists and texts lack.
void check_function(const std::string& name, const jinja::func_args& args) {
  if (name == "sort") check_sort(args);
  if (name == "dictsort") check_dictsort(args);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    for (const jinja::value& given : args.get_args()) {
      if (!jinja::is_val<jinja::value_string>(given)) continue;
      const std::string text = given->val_str.length() < 100 ? given->val_str.str() : "";
      if (text == "divisibleby") throw std::runtime_error(name + " knows no divisibleby.");
      if (given->val_str.length() > kLongestSearched) {
        throw std::runtime_error("A text is too long to be searched for.");
      }
    }
  }
  if (name == "split" || name == "rsplit") {
    const jinja::value text = args.get_pos(0);
    if (args.count() > 1 && jinja::is_val<jinja::value_string>(args.get_pos(1))) {
      check_search(args.get_pos(1)->val_str.length(), text->val_str.length());
    }
  }
  // The engine counts their use in everything that they contain.
  if (name == "tojson" || name == "string" || name == "select" || name == "reject" ||
      name == "selectattr" || name == "rejectattr") {
    for (const jinja::value& given : args.get_args())
      if (is_composite(given)) ValueCheck()(given);
  }
}

namespace {

// `text | replace(…)` and the other filters that text_function() implements.
struct TextFilter : jinja::expression {
  TextFilter(std::string name, jinja::statement_ptr text, jinja::statement_ptr filter)
      : name_(std::move(name)), text_(std::move(text)), filter_(std::move(filter)) {
    pos = filter_->pos;
  }
  std::string type() const override { return "FilterExpression"; }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value text = text_->execute(context);
    if (context.is_get_stats) {
      jinja::value_t::stats_t::mark_used(text);
      text->stats.ops.insert(name_ == "trim" ? "strip" : name_);
    }
    const bool plain = name_ == "replace" || name_ == "strip" || name_ == "trim";
    if (plain && !text->is_undefined() && !jinja::is_val<jinja::value_string>(text)) {
      text = jinja::mk_val<jinja::value_string>(text->as_string());
    }
    jinja::func_args args(context);
    args.func_name = name_;
    args.push_back(text);
    add_arguments(filter_.get(), context, args);
    return text_function(name_, args);
  }

 private:
  const std::string name_;
  jinja::statement_ptr text_;
  jinja::statement_ptr filter_;
};

// `{% filter trim %}…{% endfilter %}` with such a filter.
struct TextFilterBlock : jinja::statement {
  TextFilterBlock(std::string name, jinja::statements body, jinja::statement_ptr filter)
      : name_(std::move(name)), body_(std::move(body)), filter_(std::move(filter)) {
    pos = filter_->pos;
  }
  std::string type() const override { return "FilterStatement"; }
  jinja::value execute_impl(jinja::context& context) const override {
    auto written = jinja::mk_val<jinja::value_string>();
    for (const jinja::statement_ptr& statement : body_)
      jinja::gather_string_parts_recursive(statement->execute(context), written);
    jinja::func_args args(context);
    args.func_name = name_;
    args.push_back(written);
    add_arguments(filter_.get(), context, args);
    return text_function(name_, args);
  }

 private:
  const std::string name_;
  const jinja::statements body_;
  jinja::statement_ptr filter_;
};

// The input of a filter, checked before the engine gets it.
struct CheckedInput : Wrapper<jinja::expression> {
  CheckedInput(std::string name, jinja::statement_ptr inner, const jinja::statement* filter)
      : Wrapper(std::move(inner)), name_(std::move(name)), filter_(filter) {}
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    jinja::func_args args(context);
    args.push_back(value);
    add_arguments(filter_, context, args);
    check_function(name_, args);
    return writes_fractions(name_, args) ? standing_for(json_text(args)) : value;
  }

 private:
  const std::string name_;
  const jinja::statement* filter_;  // owned by the expression around this
};

}  // namespace

std::string name_of(const jinja::statement* filter) {
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  const auto* name =
      dynamic_cast<const jinja::identifier*>(call == nullptr ? filter : call->callee.get());
  return name == nullptr ? std::string() : name->val;
}

jinja::statement_ptr checked_block(jinja::filter_statement& block) {
  const std::string name = name_of(block.filter.get());
  if (name == "split" || name == "rsplit") {
    throw std::runtime_error("A block cannot be filtered by " + name + ".");
  }
  if (!is_text_function(name)) return nullptr;
  return std::make_unique<TextFilterBlock>(name, std::move(block.body), std::move(block.filter));
}

void check_filtered(jinja::filter_expression& expression) {
  static const std::set<std::string> kLooked = {"sort",       "dictsort",   "select", "reject",
                                                "selectattr", "rejectattr", "split",  "rsplit",
                                                "tojson",     "string"};
  const jinja::statement* filter = expression.filter.get();
  const std::string name = name_of(filter);
  jinja::statement_ptr& operand = expression.operand;
  if (kLooked.count(name) != 0) {
    operand = std::make_unique<CheckedInput>(name, std::move(operand), filter);
    return;
  }
  if (name == "join") {
    operand = std::make_unique<MarkedJoin>(std::move(operand), std::move(expression.filter));
  } else if (is_text_function(name)) {
    operand = std::make_unique<TextFilter>(name, std::move(operand), std::move(expression.filter));
  } else {
    return;
  }
  expression.filter = std::make_unique<jinja::identifier>("safe");  // returns a text unchanged
  expression.filter->pos = expression.pos;
}

}  // namespace cria::template_program
