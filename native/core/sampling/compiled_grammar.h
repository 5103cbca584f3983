// A grammar made ready for a vocabulary, shared by all generations that follow it: what one of them
// has found out, the others know.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "core/model/vocabulary.h"
#include "core/sampling/grammar_graph.h"
#include "core/sampling/token_masks.h"
#include "core/sampling/token_slices.h"

namespace cria {

// The tokens that leave a text one: behind the bytes of a character that was begun, those that go
// on with it.
struct TextTokens {
  TextTokens(const Vocabulary& vocabulary, const std::string& begun);

  TokenSet all;
  TokenSet whole;  // that end where a character ends
};

// Any thread, behind its mutex.
class CompiledGrammar {
 public:
  // Throws ERR_GRAMMAR_INVALID.
  CompiledGrammar(const Vocabulary& vocabulary, const std::string& source, const std::string& root,
                  TokenSlices& slices);

  // What follows may be used only by who holds this.
  std::mutex& mutex() { return mutex_; }

  // What is found out goes here. Once that is too much, the next call begins anew; who still has
  // states of the one before copies them.
  std::shared_ptr<TokenMasks> masks();
  bool names_tokens() const { return !graph_.rules().tokens.empty(); }
  // For rules that take any token but one.
  const TextTokens& texts();
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // For any thread at any time: about how much memory it takes.
  size_t bytes() const { return bytes_; }

  // Of the kept grammar for this source, shared as long as the model lives and there is room.
  static std::shared_ptr<CompiledGrammar> shared(const Vocabulary& vocabulary,
                                                 const std::string& source,
                                                 const std::string& root);

 private:
  const Vocabulary& vocabulary_;
  TokenSlices& slices_;
  std::mutex mutex_;
  GrammarGraph graph_;
  std::shared_ptr<TokenMasks> masks_;
  std::unique_ptr<const TextTokens> texts_;
  std::atomic<size_t> bytes_;
};

}  // namespace cria
