// Ends a model's thoughts when they have taken the tokens that they may, as llama.cpp's
// common/reasoning-budget.h does it: the mark that ends them is written for the model.
#pragma once

#include <llama.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

// The marks are looked for in the text, control tokens included: a model may write one in several
// tokens, and together with what follows.
struct ReasoningLimit {
  std::string start;
  std::vector<std::string> ends;  // any of them ends the thoughts; the first one is written
  int32_t tokens = 0;
  bool open = false;  // the prompt has begun the thoughts
};

// Belongs to one generation; one thread at a time.
class ReasoningBudget {
 public:
  ReasoningBudget(const Vocabulary& vocabulary, const ReasoningLimit& limit);

  // The token that has to come next.
  std::optional<llama_token> forced() const;
  void accept(llama_token token);

  // Whether the next token belongs to thoughts, or to the mark that ends them.
  bool thinks() const { return state_ != State::kIdle; }
  // Of the token that ended the thoughts, and of those before it: how many bytes lie behind them,
  // the mark itself included where the model wrote it. In some formats a call ends the thoughts.
  size_t behind() const { return behind_; }

 private:
  enum class State { kIdle, kCounting, kForcing };

  void begin();
  // Drops what was written up to the end of the mark, if it is there.
  bool passes(const std::string& mark);

  const Vocabulary& vocabulary_;
  const ReasoningLimit limit_;
  Tokens end_;  // what is written
  State state_ = State::kIdle;
  int32_t left_ = 0;
  size_t written_ = 0;  // of it
  std::string text_;    // the last of the output: no shorter than any mark
  size_t longest_ = 1;
  size_t behind_ = 0;
};

}  // namespace cria
