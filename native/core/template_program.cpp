#include "template_program.h"

#include <jinja/lexer.h>
#include <jinja/parser.h>
#include <jinja/runtime.h>
#include <log.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <utility>

#include "deep_stack.h"
#include "error.h"

namespace cria::template_program {

namespace {

// The longest that llama.cpp's tree has is of 17 KB.
constexpr size_t kLongestSource = size_t{1} << 18;
// Each may be a level of recursion for the parser and what walks its tree.
constexpr size_t kMostTokensInABlock = 4000;
constexpr size_t kDeepestBlocks = 200;
constexpr size_t kStack = size_t{64} << 20;
constexpr size_t kStackForMacros = kStack / 8;
constexpr int64_t kLongestRange = 100000;
constexpr int kMostAppends = 20000;  // each may nest an array one deeper
constexpr int kDeepestValue = 1000;
constexpr size_t kMostValues = 1000000;
constexpr std::chrono::seconds kLongest{10};

struct Budget {
  std::chrono::steady_clock::time_point end;
  const char* stack;
  int appends = kMostAppends;
};

thread_local Budget* budget = nullptr;

void check_budget() {
  if (budget == nullptr) return;
  const char here = 0;
  const auto used = reinterpret_cast<uintptr_t>(budget->stack) - reinterpret_cast<uintptr_t>(&here);
  if (used > kStackForMacros) throw std::runtime_error("The template recurses too deeply.");
  if (std::chrono::steady_clock::now() > budget->end) {
    throw std::runtime_error("The template did not end within " + std::to_string(kLongest.count()) +
                             " seconds.");
  }
}

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
  if (budget != nullptr && --budget->appends < 0) {
    throw std::runtime_error("More than " + std::to_string(kMostAppends) + " calls of append.");
  }
  ValueCheck check(array);
  for (const jinja::value& given : args.get_args())
    check(given);
}

// The engine forgets that the pieces of a user's text are a user's, too.
void mark_pieces(const jinja::value& text, const jinja::value& pieces) {
  const std::vector<jinja::string_part>& parts = text->val_str.parts;
  const bool input = std::any_of(parts.begin(), parts.end(),
                                 [](const jinja::string_part& part) { return part.is_input; });
  for (const jinja::value& piece : pieces->val_arr) {
    if (input) piece->val_str.mark_input();
  }
}

// What a call calls: the functions that need it have their arguments checked or their results
// marked, under whatever name the template calls them.
struct CheckedCallee : jinja::expression {
  explicit CheckedCallee(jinja::statement_ptr inner) : inner_(std::move(inner)) {
    pos = inner_->pos;
  }
  std::string type() const override { return inner_->type(); }
  jinja::value execute_impl(jinja::context& context) const override {
    static const std::set<std::string> kChecked = {"append", "range", "split", "rsplit"};
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
    auto* call = dynamic_cast<jinja::call_expression*>(const_cast<jinja::statement*>(node));
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

void check_size(const std::vector<jinja::token>& tokens) {
  static const std::set<std::string> kOpening = {"if",  "elif",   "for", "macro",
                                                 "set", "filter", "call"};
  static const std::set<std::string> kClosing = {"endif",  "endfor",    "endmacro",
                                                 "endset", "endfilter", "endcall"};
  size_t in_block = 0;
  // An elif nests, and ends with its if. A set without an endset is counted and never uncounted:
  // that is why it is not among the opening ones unless it has no value.
  std::vector<size_t> elifs;
  size_t depth = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const jinja::token::type type = tokens[i].t;
    const bool opens = type == jinja::token::open_statement;
    in_block = opens || type == jinja::token::open_expression ? 0 : in_block + 1;
    if (in_block > kMostTokensInABlock) throw std::runtime_error("An expression is too long.");
    if (!opens || i + 1 >= tokens.size()) continue;
    const std::string& name = tokens[i + 1].value;
    if (name == "elif") {
      if (!elifs.empty()) ++elifs.back();
      ++depth;
    } else if (name == "set") {
      bool value = false;
      for (size_t j = i + 2; j < tokens.size() && tokens[j].t != jinja::token::close_statement; ++j)
        value = value || tokens[j].t == jinja::token::equals;
      if (!value) {
        elifs.push_back(0);
        ++depth;
      }
    } else if (kOpening.count(name) != 0) {
      elifs.push_back(0);
      ++depth;
    } else if (kClosing.count(name) != 0 && !elifs.empty()) {
      depth -= elifs.back() + 1;
      elifs.pop_back();
    }
    if (depth > kDeepestBlocks) throw std::runtime_error("Blocks are nested too deeply.");
  }
}

// The engine says where, with a piece of the source, and then what: "\n------------\nWhile
// executing CallExpression at line 1, column 5 in source:\n…\nError: Jinja Exception: why".
std::string message_of(const std::string& told) {
  std::string message = told;
  std::string place;
  const size_t at = told.find(" at line ");
  const size_t in = told.find(" in source:", at == std::string::npos ? 0 : at);
  const size_t error = told.find("\nError: ");
  if (error != std::string::npos) {
    message = told.substr(error + 8);
    if (at != std::string::npos && in < error)
      place = " (" + told.substr(at + 4, in - at - 4) + ")";
  }
  constexpr std::string_view kRaised = "Jinja Exception: ";
  if (message.compare(0, kRaised.size(), kRaised) == 0) message.erase(0, kRaised.size());
  return message.empty() ? "it gives no reason" : message + place;
}

void be_quiet() {
  static std::once_flag once;
  std::call_once(once, [] { common_log_set_verbosity_thold(-1); });
}

}  // namespace

void run(const std::function<void()>& work) {
  be_quiet();
  const auto failed = [](const std::string& told) {
    throw Error(code::kTemplate, "The model's chat template failed: " + message_of(told));
  };
  with_stack(kStack, [&] {
    const char here = 0;
    Budget mine{std::chrono::steady_clock::now() + kLongest, &here};
    Budget* outer = std::exchange(budget, &mine);
    const std::shared_ptr<void> reset(nullptr, [&](void*) { budget = outer; });
    try {
      work();
    } catch (const Error&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      failed(error.what());
    }
  });
}

std::unique_ptr<common_chat_template> compile(const std::string& source, const std::string& bos,
                                              const std::string& eos) {
  if (source.size() > kLongestSource) throw std::runtime_error("The template is too long.");
  jinja::lexer lexer;
  const jinja::lexer_result lexed = lexer.tokenize(source);
  check_size(lexed.tokens);
  // Its constructor would execute the template at once: an empty one first.
  auto compiled = std::make_unique<common_chat_template>("", bos, eos);
  compiled->prog = jinja::parse_from_tokens(lexed);
  Walker walker;
  for (const jinja::statement_ptr& statement : compiled->prog.body)
    walker.walk(statement.get());
  add_checkpoints(compiled->prog.body);
  compiled->src = lexed.source;
  compiled->caps = jinja::caps_get(compiled->prog);
  return compiled;
}

}  // namespace cria::template_program
