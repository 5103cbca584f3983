#include "core/chat/template_program.h"

#include <jinja/lexer.h>
#include <jinja/parser.h>
#include <jinja/runtime.h>
#include <log.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <utility>

#include "core/chat/template_checks.h"
#include "core/model/deep_stack.h"
#include "core/model/error.h"
#include "core/model/sanitized.h"

namespace cria::template_program {

namespace {

// The longest template among llama.cpp's own has 17 KB.
constexpr size_t kLongestSource = size_t{1} << 18;
// Each may be a level of recursion for the parser and for whatever walks its tree.
constexpr size_t kMostTokensInABlock = 4000;
constexpr size_t kDeepestBlocks = 200;
constexpr size_t kStack = size_t{64} << 20;
// AddressSanitizer cleans up no more than 64 MB of stack behind an exception.
constexpr size_t kStackForMacros = kSanitizedFactor == 1 ? kStack / 8 : kStack / 2;
constexpr int kMostAppends = 20000;  // each may nest an array one deeper

// The current run.
struct Frame {
  uintptr_t stack;
  int appends = kMostAppends;
};

thread_local Frame* frame = nullptr;

void check_size(const std::vector<jinja::token>& tokens) {
  static const std::set<std::string> kOpening = {"if",  "elif",   "for", "macro",
                                                 "set", "filter", "call"};
  static const std::set<std::string> kClosing = {"endif",  "endfor",    "endmacro",
                                                 "endset", "endfilter", "endcall"};
  size_t in_block = 0;
  // An elif nests, and ends together with its if. A set opens a block only if it has no value.
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

// The engine reports the place, with a piece of the source, and then the reason:
// "\n------------\nWhile executing CallExpression at line 1, column 5 in source:\n…\nError: Jinja
// Exception: why".
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

void check_budget() {
  if (WorkBudget* const budget = WorkBudget::current()) budget->check();
  if (frame == nullptr) return;
  if (frame->stack - stack_position() > kStackForMacros)
    throw std::runtime_error("The template recurses too deeply.");
}

void spend_append() {
  if (frame == nullptr || --frame->appends >= 0) return;
  throw std::runtime_error("More than " + std::to_string(kMostAppends) + " calls of append.");
}

void run(WorkBudget& budget, const std::function<void()>& work) {
  be_quiet();
  with_stack(kStack, [&] {
    Frame mine{stack_position()};
    Frame* outer = std::exchange(frame, &mine);
    const std::shared_ptr<void> reset(nullptr, [&](void*) { frame = outer; });
    const auto within = [&] { return budget.spent() == WorkBudget::Spent::kNothing; };
    try {
      const WorkBudget::Use use(&budget);
      work();
    } catch (...) {
      if (within()) {
        const Failure failure = current_failure("");
        if (!failure.code.empty()) throw;
        throw Error(code::kTemplate,
                    "The model's chat template failed: " + message_of(failure.message));
      }
    }
    // Code in between may have caught the exception and gone on with half a result.
    if (budget.spent() == WorkBudget::Spent::kStopped) {
      throw Error(code::kDisposed, "The work was stopped.");
    }
    if (!within()) {
      throw Error(code::kTemplate, "The model's chat template failed: " + budget.reason() +
                                       ". Give it less to do, or name a `format`.");
    }
  });
}

void release(const std::function<void()>& work) {
  if (frame != nullptr) {
    work();
  } else {
    with_stack(kStack, work);
  }
}

std::unique_ptr<common_chat_template> compile(const std::string& source, const std::string& bos,
                                              const std::string& eos) {
  if (source.size() > kLongestSource) throw std::runtime_error("The template is too long.");
  jinja::lexer lexer;
  const jinja::lexer_result lexed = lexer.tokenize(source);
  check_budget();
  check_size(lexed.tokens);
  // The constructor executes its template at once, so it gets an empty one.
  auto compiled = std::make_unique<common_chat_template>("", bos, eos);
  compiled->prog = jinja::parse_from_tokens(lexed);
  add_checks(compiled->prog);
  compiled->src = lexed.source;
  check_budget();
  compiled->caps = jinja::caps_get(compiled->prog);
  return compiled;
}

}  // namespace cria::template_program
