#include "template_checks.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace cria::template_program {

namespace {

constexpr int64_t kLongestRange = 100000;
constexpr int kDeepestValue = 1000;
constexpr size_t kMostValues = 1000000;

// Put in front of every body that may run again and again. It writes nothing.
struct Checkpoint : jinja::statement {
  std::string type() const override { return "Checkpoint"; }
  jinja::value execute_impl(jinja::context& /*unused*/) const override {
    check_budget();
    return jinja::mk_val<jinja::value_undefined>();
  }
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
    for (const jinja::value& element : value->val_arr)
      (*this)(element, depth + 1);
    for (const auto& [key, element] : value->val_obj)
      (*this)(element, depth + 1);
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

void keep_marks(jinja::filter_expression& expression) {
  const jinja::statement* filter = expression.filter.get();
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  const auto* name =
      dynamic_cast<const jinja::identifier*>(call == nullptr ? filter : call->callee.get());
  if (name == nullptr || name->val != "join") return;
  expression.operand =
      std::make_unique<MarkedJoin>(std::move(expression.operand), std::move(expression.filter));
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
    static const std::set<std::string> kChecked = {"append", "join", "range", "split", "rsplit"};
    jinja::value callee = inner_->execute(context);
    const auto* function = jinja::cast_val<jinja::value_func>(callee);
    if (function == nullptr || kChecked.count(function->name) == 0) return callee;
    return jinja::mk_val<jinja::value_func>(
        function->name, [callee](const jinja::func_args& args) -> jinja::value {
          const auto* checked = jinja::cast_val<jinja::value_func>(callee);
          const std::string& name = checked->name;
          if (name == "range") check_range(args);
          if (name == "append" && checked->arg0) check_append(checked->arg0, args);
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
  const auto* call = dynamic_cast<const jinja::call_expression*>(filter);
  const auto* name =
      dynamic_cast<const jinja::identifier*>(call == nullptr ? filter : call->callee.get());
  if (name != nullptr && name->val == "append") {
    throw std::runtime_error("append is no filter.");
  }
}

class Walker {
 public:
  Walker() {
    context_.visitor = [this](bool, const jinja::statement* node,
                              const std::vector<jinja::visitor_pair>& children) {
      for (const auto& [label, nodes] : children) {
        for (const jinja::statement* child : nodes)
          walk(child, label == "filter" || (label == "test" && is_test(node)));
      }
    };
  }

  void walk(const jinja::statement* node, bool named = false) {
    if (node == nullptr) return;
    if (named) check_filter(node);
    if (const auto* array = dynamic_cast<const jinja::array_literal*>(node)) {
      walk_all(array->val);
    } else if (const auto* tuple = dynamic_cast<const jinja::tuple_literal*>(node)) {
      walk_all(tuple->val);
    } else if (const auto* object = dynamic_cast<const jinja::object_literal*>(node)) {
      for (const auto& [key, value] : object->val) {
        walk(key.get());
        walk(value.get());
      }
    } else {
      node->visit(context_);
    }
    // The tree is ours, and not shared yet.
    auto* own = const_cast<jinja::statement*>(node);
    if (auto* filter = dynamic_cast<jinja::filter_expression*>(own)) keep_marks(*filter);
    auto* call = dynamic_cast<jinja::call_expression*>(own);
    if (call == nullptr || named) return;
    call->callee = std::make_unique<CheckedCallee>(std::move(call->callee));
  }

 private:
  static bool is_test(const jinja::statement* node) {
    return dynamic_cast<const jinja::test_expression*>(node) != nullptr;
  }

  void walk_all(const jinja::statements& nodes) {
    for (const jinja::statement_ptr& node : nodes)
      walk(node.get());
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
}

}  // namespace cria::template_program
