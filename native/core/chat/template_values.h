// Checks of values that the engine traverses. A value that contains others many times over would
// take it for ever, and one that is nested too deeply would overflow its stack.
#pragma once

#include <jinja/runtime.h>

#include <cstddef>
#include <string>
#include <utility>

namespace cria::template_program {

// Replaces a statement in a template's tree, and keeps its name.
template <typename Base>
struct Wrapper : Base {
  explicit Wrapper(jinja::statement_ptr inner) : inner_(std::move(inner)) {
    this->pos = inner_->pos;
  }
  std::string type() const override { return inner_->type(); }

 protected:
  jinja::statement_ptr inner_;
};

bool is_composite(const jinja::value& value);

// Throws for a value that is too deep or too large to be traversed, or contains itself.
class ValueCheck {
 public:
  // `inside`: a value that must not be found in those that are checked.
  explicit ValueCheck(const jinja::value& inside = nullptr) : inside_(inside) {}

  void operator()(const jinja::value& value, int depth = 0);

 private:
  const jinja::value inside_;
  size_t values_ = 0;
};

// Expressions with the same value, which they check: values that are compared, hashed or put into
// another one; the divisor of `is divisibleby`; the text that `is in` searches.
jinja::statement_ptr sized(jinja::statement_ptr inner);
jinja::statement_ptr divisor(jinja::statement_ptr inner);
jinja::statement_ptr searched(jinja::statement_ptr inner);

// `a == b`, `a in b` and their opposites.
void check_comparison(jinja::binary_expression& expression);

}  // namespace cria::template_program
