#include "core/chat/template_values.h"

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/chat/template_checks.h"
#include "core/chat/template_texts.h"

namespace cria::template_program {

namespace {

constexpr int kDeepestValue = 1000;
// A history of 100,000 messages has fewer.
constexpr size_t kMostValues = 4000000;
constexpr size_t kLongestSearched = size_t{1} << 16;

// A value that the engine traverses: it is compared, hashed, counted for its use or put into
// another one. A part that occurs twice is traversed twice.
struct SizedValue : Wrapper<jinja::expression> {
  using Wrapper::Wrapper;
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    if (is_composite(value)) ValueCheck()(value);
    return value;
  }
};

// The divisor of `is divisibleby`: dividing by 0 or -1 may be a fault of the processor.
struct Divisor : Wrapper<jinja::expression> {
  using Wrapper::Wrapper;
  jinja::value execute_impl(jinja::context& context) const override {
    jinja::value value = inner_->execute(context);
    if (value->val_int == 0 || value->val_int == -1) {
      throw std::runtime_error("Nothing is divisible by " + std::to_string(value->val_int) + ".");
    }
    return value;
  }
};

// The text that `is in` searches.
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

// An expression that is a known value.
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

}  // namespace

bool is_composite(const jinja::value& value) {
  return !value->val_arr.empty() || !value->val_obj.empty();
}

void ValueCheck::operator()(const jinja::value& value, int depth) {
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

jinja::statement_ptr sized(jinja::statement_ptr inner) {
  return std::make_unique<SizedValue>(std::move(inner));
}

jinja::statement_ptr divisor(jinja::statement_ptr inner) {
  return std::make_unique<Divisor>(std::move(inner));
}

jinja::statement_ptr searched(jinja::statement_ptr inner) {
  return std::make_unique<Searched>(std::move(inner));
}

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

}  // namespace cria::template_program
