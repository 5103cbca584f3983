#include "core/chat/template_checks.h"

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/chat/template_functions.h"
#include "core/chat/template_json.h"
#include "core/chat/template_texts.h"
#include "core/chat/template_values.h"
#include "core/model/work_budget.h"

namespace cria::template_program {

namespace {

// Goes in front of every body that may run repeatedly. It writes nothing.
struct Checkpoint : jinja::statement {
  std::string type() const override { return "Checkpoint"; }
  jinja::value execute_impl(jinja::context& /*unused*/) const override {
    check_budget();
    return jinja::mk_val<jinja::value_undefined>();
  }
};

// A top-level statement, within which allocations may throw.
struct Charged : Wrapper<jinja::statement> {
  using Wrapper::Wrapper;
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
};

// `{% set object.name = value %}`, one of two ways to make a value contain itself.
struct CheckedSet : Wrapper<jinja::statement> {
  using Wrapper::Wrapper;
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value result = inner_->execute(context);
    const auto* set = static_cast<const jinja::set_statement*>(inner_.get());
    const auto* member = static_cast<const jinja::member_expression*>(set->assignee.get());
    ValueCheck()(member->object->execute(context));
    return result;
  }
};

// The function in a call. Those that need it get their arguments checked or their results marked,
// under whatever name the template calls them.
struct CheckedCallee : Wrapper<jinja::expression> {
  using Wrapper::Wrapper;
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
          if (checked->arg0 || name == "tojson") {
            check_function(name, all);
            if (writes_fractions(name, all)) return json_text(all);
          }
          jinja::value result = checked->invoke(args);
          if (name == "join" && checked->arg0) mark_joined(checked->arg0, result);
          if (name.find("split") != std::string::npos && checked->arg0) {
            mark_pieces(checked->arg0, result);
          }
          return result;
        });
  }
};

// A filter or a test is only named, not called.
void check_filter(const jinja::statement* filter) {
  if (name_of(filter) == "append") throw std::runtime_error("append is no filter.");
}

void check_test(jinja::test_expression& expression) {
  auto* call = dynamic_cast<jinja::call_expression*>(expression.test.get());
  if (call == nullptr) return;
  const std::string name = name_of(call);
  for (jinja::statement_ptr& argument : call->args) {
    if (name == "divisibleby") argument = divisor(std::move(argument));
    if (name == "in") argument = searched(std::move(argument));
  }
  if (name != "in") return;
  expression.operand = sized(std::move(expression.operand));
}

// The key of a member is hashed.
void check_key(jinja::member_expression& expression) {
  const jinja::statement* key = expression.property.get();
  if (!expression.computed || key == nullptr) return;
  if (dynamic_cast<const jinja::slice_expression*>(key) != nullptr) return;
  expression.property = sized(std::move(expression.property));
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
    // The tree is ours and not shared yet, so it may be changed.
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
    node = sized(std::move(node));
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
