#include "core/sampling/grammar_filter.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "core/model/error.h"
#include "core/model/token_tree.h"
#include "core/model/utf8.h"

namespace cria {

namespace {

// So few candidates are asked about one by one, unless all tokens are known anyway.
constexpr size_t kFewCandidates = 16;

std::shared_ptr<CompiledGrammar> compiled(const Vocabulary& vocabulary,
                                          const step::Grammar& grammar) {
  if (llama_vocab_type(vocabulary.handle()) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(code::kUnsupported, "This model has no vocabulary, which a grammar needs.");
  }
  return CompiledGrammar::shared(vocabulary, grammar.source, grammar.root);
}

}  // namespace

GrammarFilter::GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar)
    : vocabulary_(vocabulary),
      trigger_patterns_(grammar.trigger_patterns),
      trigger_tokens_(grammar.trigger_tokens),
      grammar_(compiled(vocabulary, grammar)),
      prefix_(grammar.prefix) {
  for (const llama_token token : trigger_tokens_)
    vocabulary.check(token);
  if (grammar.lazy) sleep_ = Sleep{Trigger(trigger_patterns_), {}, {}, {}, 0};
  begin();  // tells what is wrong before anything is evaluated
}

GrammarMatcher& GrammarFilter::matcher() {
  if (!matcher_) matcher_ = begin();
  return *matcher_;
}

bool GrammarFilter::allows(llama_token token) { return !awake() || matcher().allows(token); }

const TokenSet& GrammarFilter::mask() {
  mask_ = matcher().mask();
  return *mask_;
}

void GrammarFilter::filter(llama_token_data_array& candidates) {
  if (!awake()) return;
  const TokenSet* all = candidates.size > kFewCandidates ? &mask() : nullptr;
  for (size_t i = 0; i < candidates.size; ++i) {
    llama_token_data& candidate = candidates.data[i];
    const bool allowed = all == nullptr ? matcher().allows(candidate.id) : all->has(candidate.id);
    if (!allowed) candidate.logit = -std::numeric_limits<float>::infinity();
  }
}

const Tokens& GrammarFilter::allowed() {
  allowed_.clear();
  if (awake()) {
    mask().each([&](llama_token token) { allowed_.push_back(token); });
  } else {
    allowed_.resize(static_cast<size_t>(vocabulary_.size()));
    std::iota(allowed_.begin(), allowed_.end(), 0);
  }
  return allowed_;
}

void GrammarFilter::forced(int32_t most, Tokens& tokens) {
  tokens.clear();
  if (!awake() || grammar_->names_tokens()) return;
  if (!looks_ahead_) GrammarWork::refuse();
  constexpr int32_t kBytesOfToken = 8;  // hardly any text has more, on average
  looks_ahead_ = false;
  std::string text = matcher().forced(static_cast<size_t>(most * kBytesOfToken));
  looks_ahead_ = true;
  text.resize(text.size() - utf8::unfinished_tail(text));
  if (text.empty()) return;
  // As text: what spells a control token stays text.
  tokens = vocabulary_.tokenize(text, /*special=*/false);
  std::string spelled;
  for (const llama_token token : tokens)
    vocabulary_.append_piece(token, /*special=*/true, spelled);
  if (spelled != text) tokens.clear();  // some tokenizers put a space in front
  if (tokens.size() > static_cast<size_t>(most)) tokens.resize(static_cast<size_t>(most));
}

void GrammarFilter::accept(llama_token token) {
  if (awake()) {
    take(token);
  } else {
    listen(token);
  }
}

void GrammarFilter::listen(llama_token token) {
  const Tokens& triggers = trigger_tokens_;
  if (!thinks_ && std::find(triggers.begin(), triggers.end(), token) != triggers.end()) {
    sleep_.reset();
    take(token);
    return;
  }
  if (trigger_patterns_.empty() || vocabulary_.ends_generation(token)) return;
  const size_t searched = sleep_->text.size();
  vocabulary_.append_piece(token, /*special=*/true, sleep_->text);
  sleep_->ends.push_back(sleep_->text.size());
  sleep_->generated.push_back(token);
  if (!thinks_) look(searched);
}

void GrammarFilter::answers(size_t behind) {
  thinks_ = false;
  if (awake()) return;
  sleep_->answer = sleep_->text.size() - std::min(behind, sleep_->text.size());
  if (!trigger_patterns_.empty()) look(sleep_->answer);
}

void GrammarFilter::look(size_t searched) {
  if (const std::optional<size_t> start =
          sleep_->trigger.find(sleep_->text, searched, sleep_->answer)) {
    wake(*start);
  }
}

// The grammar gets the tokens from `start` on, of the first one perhaps only the last bytes.
void GrammarFilter::wake(size_t start) {
  const Sleep sleep = std::move(*sleep_);
  sleep_.reset();
  const auto first = static_cast<size_t>(
      std::upper_bound(sleep.ends.begin(), sleep.ends.end(), start) - sleep.ends.begin());
  for (size_t i = first; i < sleep.generated.size(); ++i) {
    const size_t begin = i == 0 ? 0 : sleep.ends[i - 1];
    take(sleep.generated[i], std::max(start, begin) - begin);
  }
}

void GrammarFilter::take(llama_token token, size_t from) {
  std::string piece;
  vocabulary_.append_piece(token, /*special=*/true, piece);
  std::string_view bytes = grammar_bytes(piece);
  bytes.remove_prefix(std::min(from, bytes.size()));
  const bool taken = vocabulary_.ends_generation(token)
                         ? matcher().ends()
                         : !bytes.empty() && matcher().accept(token, bytes);
  if (taken) return;
  throw Error(code::kGrammarInvalid, "The grammar does not allow the token " +
                                         std::to_string(token) + ", \"" +
                                         vocabulary_.detokenize({token}, true) + "\", here.");
}

// Behind the prefix: as text, unless the grammar names tokens, then as the tokens that it makes.
GrammarMatcher GrammarFilter::begin() const {
  GrammarMatcher matcher(grammar_);
  const auto accept = [&](llama_token token, std::string_view bytes) {
    if (matcher.accept(token, bytes)) return;
    throw Error(
        code::kGrammarInvalid,
        "The grammar does not begin with the text in front of the output: \"" + prefix_ + "\".");
  };
  if (prefix_.empty()) return matcher;
  if (!grammar_->names_tokens()) {
    accept(LLAMA_TOKEN_NULL, prefix_);
    return matcher;
  }
  size_t at = 0;
  for (const llama_token token : vocabulary_.tokenize(prefix_, /*special=*/true)) {
    std::string piece;
    vocabulary_.append_piece(token, /*special=*/true, piece);
    if (piece.empty()) continue;
    // Some tokenizers put a space in front of every text, or into its first token.
    if (piece.front() == ' ' && prefix_.compare(at, piece.size(), piece) != 0) piece.erase(0, 1);
    at += piece.size();
    if (!piece.empty()) accept(token, piece);
  }
  return matcher;
}

}  // namespace cria
