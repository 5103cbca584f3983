// Decides, while a long text is tokenized on this thread, whether to go on. llama.cpp's tokenizer
// cannot be stopped, so it gets a long text in pieces, and this is asked in between.
#pragma once

#include <cstddef>
#include <functional>

namespace cria {

class TokenWatch {
 public:
  // How far the tokenizer is.
  struct Progress {
    size_t tokens;
    size_t bytes;
    size_t length;
  };
  // False: the tokens so far are enough, and need not be right. May throw.
  using GoesOn = std::function<bool(const Progress& progress)>;

  explicit TokenWatch(GoesOn goes_on);
  ~TokenWatch();
  TokenWatch(const TokenWatch&) = delete;
  TokenWatch& operator=(const TokenWatch&) = delete;

  // Asks this thread's watch and its WorkBudget; true if there is neither.
  static bool goes_on(const Progress& progress);

 private:
  const GoesOn goes_on_;
  const TokenWatch* const outer_;
};

}  // namespace cria
