// Who is asked, while a long text is tokenized on this thread, whether to go on: llama.cpp's
// tokenizer knows no way to be stopped, so a text goes to it in pieces.
#pragma once

#include <cstddef>
#include <functional>

namespace cria {

class TokenWatch {
 public:
  // How far a text is.
  struct Progress {
    size_t tokens;
    size_t bytes;
    size_t length;
  };
  // False: what the text has so far is enough, and need not be right. May throw.
  using GoesOn = std::function<bool(const Progress& progress)>;

  explicit TokenWatch(GoesOn goes_on);
  ~TokenWatch();
  TokenWatch(const TokenWatch&) = delete;
  TokenWatch& operator=(const TokenWatch&) = delete;

  // Of this thread's watch, and of its WorkBudget; true where there is neither.
  static bool goes_on(const Progress& progress);

 private:
  const GoesOn goes_on_;
  const TokenWatch* const outer_;
};

}  // namespace cria
