#include "template_checks.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/chat/template_texts.h"
#include "core/chat/work_budget.h"

namespace cria::template_program {

namespace {

constexpr int64_t kLongestRange = 100000;
constexpr int kDeepestValue = 1000;
// A history of 100,000 messages has some.
constexpr size_t kMostValues = 4000000;
constexpr size_t kLongestSearched = size_t{1} << 16;

// Put in front of every body that may run again and again. It writes nothing.
struct Checkpoint : jinja::statement {
  std::string type() const override { return "Checkpoint"; }
  jinja::value execute_impl(jinja::context& /*unused*/) const override {
    check_budget();
    return jinja::mk_val<jinja::value_undefined>();
  }
};

// A statement of the whole template: within it allocations may throw.
struct Charged : jinja::statement {
  explicit Charged(jinja::statement_ptr inner) : inner_(std::move(inner)) { pos = inner_->pos; }
  std::string type() const override { return inner_->type(); }
  void visit(jinja::context& context) const override { inner_->visit(context); }
  jinja::value execute_impl(jinja::context& context) const override {
    check_budget();
    const WorkBudget::Throwing throwing;
    const jinja::value result = inner_->execute_impl(context);
    if (result->val_arr.empty() && result->val_obj.empty()) return result;
    auto written = jinja::mk_val<jinja::value_string>();  // what the engine would do outside
    jinja::gather_string_parts_recursive(result, written);
    return written;
  }

 private:
  jinja::statement_ptr inner_;
};

// A value that holds itself would be printed until the stack ends, and one that holds others many
// times for longer than anybody waits.
class ValueCheck {
 public:
  // `inside`: what must not be found there.
  explicit ValueCheck(const jinja::value& inside = nullptr) : inside_(inside) {}

  void operator()(const jinja::value& value, int depth = 0) {
    if (depth > kDeepestValue || ++values_ > kMostValues || (inside_ && value == inside_)) {
      throw std::runtime_error("A value is nested too deeply.");
    }
    if (values_ % 1024 == 0) check_budget();
    for (const jinja::value& element : value->val_arr)
      (*this)(element, depth + 1);
    for (const auto& [key, element] : value->val_obj) {
      (*this)(key, depth + 1);
      (*this)(element, depth + 1);
    }
  }

 private:
  const jinja::value inside_;
  size_t values_ = 0;
};

// `{% set object.name = value %}`, one of two ways to make a value hold itself.
struct CheckedSet : jinja::statement {
  explicit CheckedSet(jinja::statement_ptr inner) : inner_(std::move(inner)) { pos = inner_->pos; }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value result = inner_->execute(context);
    const auto* set = static_cast<const jinja::set_statement*>(inner_.get());
    const auto* member = static_cast<const jinja::member_expression*>(set->assignee.get());
    ValueCheck()(member->object->execute(context));
    return result;
  }

 private:
  jinja::statement_ptr inner_;
};

bool is_composite(const jinja::value& value) {
  return !value->val_arr.empty() || !value->val_obj.empty();
}

// What is compared, hashed, counted for its use or put into another value: the engine goes through
// all of it, and through what it holds twice, twice.
struct SizedValue : jinja::expression {
  explicit SizedValue(jinja::statement_ptr inner) : inner_(std::move(inner)) { pos = inner_->pos; }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    if (is_composite(value)) ValueCheck()(value);
    return value;
  }

 private:
  jinja::statement_ptr inner_;
};

// The divisor of `is divisibleby`: the processor has no answer for these two.
struct Divisor : jinja::expression {
  explicit Divisor(jinja::statement_ptr inner) : inner_(std::move(inner)) { pos = inner_->pos; }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    if (value->val_int == 0 || value->val_int == -1) {
      throw std::runtime_error("Nothing is divisible by " + std::to_string(value->val_int) + ".");
    }
    return value;
  }

 private:
  jinja::statement_ptr inner_;
};

// What `is in` looks through.
struct Searched : jinja::expression {
  explicit Searched(jinja::statement_ptr inner) : inner_(std::move(inner)) { pos = inner_.pos; }
  std::string type() const override { return inner_.type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_.execute(context);
    if (value->val_str.length() > kLongestSearched) {
      throw std::runtime_error("A text is too long to be searched.");
    }
    return value;
  }

 private:
  const SizedValue inner_;
};

// A value in the place of what would give it.
struct Held : jinja::expression {
  explicit Held(jinja::value value) : value_(std::move(value)) {}
  std::string type() const override { return "Value"; }
  jinja::value execute_impl(jinja::context& /*unused*/) const override { return value_; }

 private:
  const jinja::value value_;
};

struct True : jinja::expression {
  std::string type() const override { return "Value"; }
  jinja::value execute_impl(jinja::context& /*unused*/) const override {
    return jinja::mk_val<jinja::value_bool>(true);
  }
};

// `a == b`, `a in b` and their opposites.
struct CheckedComparison : jinja::expression {
  CheckedComparison(jinja::token op, jinja::statement_ptr left, jinja::statement_ptr right)
      : op_(std::move(op)), left_(std::move(left)), right_(std::move(right)) {}
  std::string type() const override { return "BinaryExpression"; }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value left = left_.execute(context);
    jinja::value right = right_.execute(context);
    if (jinja::is_val<jinja::value_string>(left) && jinja::is_val<jinja::value_string>(right)) {
      if (op_.value == "in" || op_.value == "not in") {
        check_search(left->val_str.length(), right->val_str.length());
      }
    }
    return jinja::binary_expression(op_, std::make_unique<Held>(left),
                                    std::make_unique<Held>(right))
        .execute_impl(context);
  }

 private:
  const jinja::token op_;
  const SizedValue left_;
  const SizedValue right_;
};

// The expression becomes `true and (what it was)`, which gives what it was.
void check_comparison(jinja::binary_expression& expression) {
  static const std::set<std::string> kChecked = {"==", "!=", "in", "not in"};
  if (kChecked.count(expression.op.value) == 0) return;
  auto checked = std::make_unique<CheckedComparison>(expression.op, std::move(expression.left),
                                                     std::move(expression.right));
  checked->pos = expression.pos;
  expression.op.value = "and";
  expression.left = std::make_unique<True>();
  expression.left->pos = expression.pos;
  expression.right = std::move(checked);
}

int64_t integer_at(const jinja::func_args& args, size_t index, int64_t otherwise) {
  if (index >= args.count()) return otherwise;
  const jinja::value value = args.get_pos(index);
  return jinja::is_val<jinja::value_int>(value) ? value->as_int() : otherwise;
}

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

bool has_input(const jinja::value& text) {
  const std::vector<jinja::string_part>& parts = text->val_str.parts;
  return std::any_of(parts.begin(), parts.end(),
                     [](const jinja::string_part& part) { return part.is_input; });
}

// The engine forgets that the pieces of a user's text are a user's, too.
void mark_pieces(const jinja::value& text, const jinja::value& pieces) {
  if (!has_input(text)) return;
  for (const jinja::value& piece : pieces->val_arr)
    piece->val_str.mark_input();
}

void mark_joined(const jinja::value& pieces, const jinja::value& text) {
  const std::vector<jinja::value>& all = pieces->val_arr;
  if (std::any_of(all.begin(), all.end(), has_input)) text->val_str.mark_input();
}

// `array | join(between, attribute)`, whose texts stay whose they were: the engine's own forgets
// it.
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
    if (const auto* call = dynamic_cast<const jinja::call_expression*>(filter_.get())) {
      for (const jinja::statement_ptr& argument : call->args)
        args.push_back(argument->execute(context));
    }
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
  // What is undefined gives an empty text, all else an error.
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

// The library's sort runs out of its array where an order is none: texts with numbers among them.
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

// What the engine does not look at before it goes on, in functions of lists and of texts.
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
  // Its use is counted in all that it holds.
  if (name == "tojson" || name == "string" || name == "select" || name == "reject" ||
      name == "selectattr" || name == "rejectattr") {
    for (const jinja::value& given : args.get_args())
      if (is_composite(given)) ValueCheck()(given);
  }
}

void add_arguments(const jinja::statement* filter, jinja::context& context,
                   jinja::func_args& args) {
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  if (call == nullptr) return;
  for (const jinja::statement_ptr& argument : call->args)
    args.push_back(argument->execute(context));
}

// `text | replace(…)` and the others that are done here in the engine's place.
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

// `{% filter trim %}…{% endfilter %}` of such a function.
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

// What a filter is given, looked at before the engine does.
struct CheckedInput : jinja::expression {
  CheckedInput(std::string name, jinja::statement_ptr inner, const jinja::statement* filter)
      : name_(std::move(name)), inner_(std::move(inner)), filter_(filter) {
    pos = inner_->pos;
  }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    jinja::func_args args(context);
    args.push_back(value);
    add_arguments(filter_, context, args);
    check_function(name_, args);
    return value;
  }

 private:
  const std::string name_;
  jinja::statement_ptr inner_;
  const jinja::statement* filter_;  // the filter's own, beside this
};

// Empty where it has none.
std::string name_of(const jinja::statement* filter) {
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  const auto* name =
      dynamic_cast<const jinja::identifier*>(call == nullptr ? filter : call->callee.get());
  return name == nullptr ? std::string() : name->val;
}

// Null: the engine's own will do.
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
  expression.filter = std::make_unique<jinja::identifier>("safe");  // gives back a text as it is
  expression.filter->pos = expression.pos;
}

// What a call calls: the functions that need it have their arguments checked or their results
// marked, under whatever name the template calls them.
struct CheckedCallee : jinja::expression {
  explicit CheckedCallee(jinja::statement_ptr inner) : inner_(std::move(inner)) {
    pos = inner_->pos;
  }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    static const std::set<std::string> kChecked = {
        "append", "join",     "range",   "split",  "rsplit",     "namespace",
        "sort",   "dictsort", "select",  "reject", "selectattr", "rejectattr",
        "tojson", "string",   "replace", "strip",  "lstrip",     "rstrip"};
    jinja::value callee = inner_->execute(context);
    const auto* function = jinja::cast_val<jinja::value_func>(callee);
    if (function == nullptr || kChecked.count(function->name) == 0) return callee;
    return jinja::mk_val<jinja::value_func>(
        function->name, [callee](const jinja::func_args& args) -> jinja::value {
          const auto* checked = jinja::cast_val<jinja::value_func>(callee);
          const std::string& name = checked->name;
          if (name == "range") check_range(args);
          if (name == "append" && checked->arg0) check_append(checked->arg0, args);
          if (name == "namespace") check_held(args);
          jinja::func_args all(args);
          if (checked->arg0) all.push_front(checked->arg0);
          if (checked->arg0 && is_text_function(name)) return text_function(name, all);
          if (checked->arg0 || name == "tojson") check_function(name, all);
          jinja::value result = checked->invoke(args);
          if (name == "join" && checked->arg0) mark_joined(checked->arg0, result);
          if (name.find("split") != std::string::npos && checked->arg0) {
            mark_pieces(checked->arg0, result);
          }
          return result;
        });
  }

 private:
  jinja::statement_ptr inner_;
};

// Of a filter or a test, which is named and not called.
void check_filter(const jinja::statement* filter) {
  if (name_of(filter) == "append") throw std::runtime_error("append is no filter.");
}

void check_test(jinja::test_expression& expression) {
  auto* call = dynamic_cast<jinja::call_expression*>(expression.test.get());
  if (call == nullptr) return;
  const std::string name = name_of(call);
  for (jinja::statement_ptr& argument : call->args) {
    if (name == "divisibleby") argument = std::make_unique<Divisor>(std::move(argument));
    if (name == "in") argument = std::make_unique<Searched>(std::move(argument));
  }
  if (name != "in") return;
  expression.operand = std::make_unique<SizedValue>(std::move(expression.operand));
}

// It is hashed.
void check_key(jinja::member_expression& expression) {
  const jinja::statement* key = expression.property.get();
  if (!expression.computed || key == nullptr) return;
  if (dynamic_cast<const jinja::slice_expression*>(key) != nullptr) return;
  expression.property = std::make_unique<SizedValue>(std::move(expression.property));
}

class Walker {
 public:
  Walker() {
    context_.visitor = [this](bool, const jinja::statement* node,
                              const std::vector<jinja::visitor_pair>& children) {
      for (const auto& [label, nodes] : children) {
        if (label == "loopvar") continue;  // names alone
        for (const jinja::statement* child : nodes)
          walk(child, label == "filter" || (label == "test" && is_test(node)));
      }
    };
  }

  void walk(const jinja::statement* node, bool named = false) {
    if (node == nullptr) return;
    if (named) check_filter(node);
    // The tree is ours, and not shared yet.
    auto* own = const_cast<jinja::statement*>(node);
    if (auto* array = dynamic_cast<jinja::array_literal*>(own)) {
      walk_elements(array->val);
    } else if (auto* tuple = dynamic_cast<jinja::tuple_literal*>(own)) {
      walk_elements(tuple->val);
    } else if (auto* object = dynamic_cast<jinja::object_literal*>(own)) {
      for (auto& [key, value] : object->val) {
        walk_element(key);
        walk_element(value);
      }
    } else if (const auto* set = dynamic_cast<const jinja::set_statement*>(node)) {
      if (dynamic_cast<const jinja::tuple_literal*>(set->assignee.get()) == nullptr) {
        walk(set->assignee.get());
      }
      walk(set->val.get());
      for (const jinja::statement_ptr& statement : set->body)
        walk(statement.get());
    } else {
      node->visit(context_);
    }
    if (auto* filter = dynamic_cast<jinja::filter_expression*>(own)) check_filtered(*filter);
    if (auto* binary = dynamic_cast<jinja::binary_expression*>(own)) check_comparison(*binary);
    if (auto* test = dynamic_cast<jinja::test_expression*>(own)) check_test(*test);
    if (auto* member = dynamic_cast<jinja::member_expression*>(own)) check_key(*member);
    auto* call = dynamic_cast<jinja::call_expression*>(own);
    if (call == nullptr || named) return;
    call->callee = std::make_unique<CheckedCallee>(std::move(call->callee));
  }

 private:
  static bool is_test(const jinja::statement* node) {
    return dynamic_cast<const jinja::test_expression*>(node) != nullptr;
  }

  void walk_elements(jinja::statements& nodes) {
    for (jinja::statement_ptr& node : nodes)
      walk_element(node);
  }

  void walk_element(jinja::statement_ptr& node) {
    walk(node.get());
    node = std::make_unique<SizedValue>(std::move(node));
  }

  jinja::context context_;
};

void add_checkpoints(jinja::statements& body);

void add_checkpoint(jinja::statements& body) {
  add_checkpoints(body);
  auto checkpoint = std::make_unique<Checkpoint>();
  checkpoint->pos = body.empty() ? 0 : body.front()->pos;
  body.insert(body.begin(), std::move(checkpoint));
}

void add_checkpoints(jinja::statements& body) {
  for (jinja::statement_ptr& statement : body) {
    if (auto* loop = dynamic_cast<jinja::for_statement*>(statement.get())) {
      add_checkpoint(loop->body);
      add_checkpoints(loop->default_block);
    } else if (auto* macro = dynamic_cast<jinja::macro_statement*>(statement.get())) {
      add_checkpoint(macro->body);
    } else if (auto* call = dynamic_cast<jinja::call_statement*>(statement.get())) {
      add_checkpoint(call->body);
    } else if (auto* branch = dynamic_cast<jinja::if_statement*>(statement.get())) {
      add_checkpoints(branch->body);
      add_checkpoints(branch->alternate);
    } else if (auto* filter = dynamic_cast<jinja::filter_statement*>(statement.get())) {
      add_checkpoints(filter->body);
      if (jinja::statement_ptr checked = checked_block(*filter)) statement = std::move(checked);
    } else if (auto* set = dynamic_cast<jinja::set_statement*>(statement.get())) {
      add_checkpoints(set->body);
      if (dynamic_cast<jinja::member_expression*>(set->assignee.get()) != nullptr) {
        statement = std::make_unique<CheckedSet>(std::move(statement));
      }
    }
  }
}

}  // namespace

void add_checks(jinja::program& program) {
  Walker walker;
  for (const jinja::statement_ptr& statement : program.body)
    walker.walk(statement.get());
  add_checkpoints(program.body);
  for (jinja::statement_ptr& statement : program.body)
    statement = std::make_unique<Charged>(std::move(statement));
}

}  // namespace cria::template_program
