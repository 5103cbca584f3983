// Values of a template that the engine goes through again and again: what holds others many times
// takes it longer than anybody waits, and what is too deep its stack. Of the seam.
#pragma once

#include <jinja/runtime.h>

#include <cstddef>
#include <string>
#include <utility>

namespace cria::template_program {

// What stands in a template's tree in the place of another statement, and goes by its name.
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

// A value that holds itself would be printed until the stack ends, and one that holds others many
// times for longer than anybody waits.
class ValueCheck {
 public:
  // `inside`: what must not be found there.
  explicit ValueCheck(const jinja::value& inside = nullptr) : inside_(inside) {}

  void operator()(const jinja::value& value, int depth = 0);

 private:
  const jinja::value inside_;
  size_t values_ = 0;
};

// What gives the same value, checked: of what is compared, hashed or put into another value; of the
// divisor of `is divisibleby`; of what `is in` looks through.
jinja::statement_ptr sized(jinja::statement_ptr inner);
jinja::statement_ptr divisor(jinja::statement_ptr inner);
jinja::statement_ptr searched(jinja::statement_ptr inner);

// `a == b`, `a in b` and their opposites.
void check_comparison(jinja::binary_expression& expression);

}  // namespace cria::template_program
