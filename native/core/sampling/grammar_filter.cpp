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

GrammarMatcher matcher_of(const Vocabulary& vocabulary, const step::Grammar& grammar) {
  if (llama_vocab_type(vocabulary.handle()) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(code::kUnsupported, "This model has no vocabulary, which a grammar needs.");
  }
  return GrammarMatcher(CompiledGrammar::shared(vocabulary, grammar.source, grammar.root));
}

// The byte that all of these tokens begin with.
std::optional<char> only_byte(const Vocabulary& vocabulary, const TokenSet& tokens) {
  // Where more may come, they hardly all begin alike, and asking takes its time.
  constexpr size_t kMost = 512;
  if (tokens.count() > kMost) return std::nullopt;
  std::optional<char> byte;
  std::string piece;
  bool same = true;
  tokens.each([&](llama_token token) {
    if (!same) return;
    piece.clear();
    vocabulary.append_piece(token, /*special=*/true, piece);
    same =
        !piece.empty() && !vocabulary.ends_generation(token) && byte.value_or(piece[0]) == piece[0];
    if (same) byte = piece[0];
  });
  return same ? byte : std::nullopt;
}

}  // namespace

GrammarFilter::GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar)
    : vocabulary_(vocabulary),
      trigger_patterns_(grammar.trigger_patterns),
      trigger_tokens_(grammar.trigger_tokens),
      matcher_(matcher_of(vocabulary, grammar)) {
  for (const llama_token token : trigger_tokens_)
    vocabulary.check(token);
  if (grammar.lazy) sleep_ = Sleep{Trigger(trigger_patterns_), {}, {}, {}};
  if (!grammar.prefix.empty()) accept_prefix(grammar.prefix);
}

bool GrammarFilter::allows(llama_token token) { return !awake() || matcher_.allows(token); }

const TokenSet& GrammarFilter::mask() {
  mask_ = matcher_.mask();
  return *mask_;
}

void GrammarFilter::filter(llama_token_data_array& candidates) {
  if (!awake()) return;
  const TokenSet* all = candidates.size > kFewCandidates ? &mask() : nullptr;
  for (size_t i = 0; i < candidates.size; ++i) {
    llama_token_data& candidate = candidates.data[i];
    const bool allowed = all == nullptr ? matcher_.allows(candidate.id) : all->has(candidate.id);
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

void GrammarFilter::forced(int32_t most, Tokens& tokens) const {
  tokens.clear();
  if (!awake() || matcher_.names_tokens()) return;
  constexpr int32_t kBytesOfToken = 8;  // hardly any text has more, on average
  GrammarMatcher ahead = matcher_;
  std::string text;
  while (text.size() < static_cast<size_t>(most * kBytesOfToken) && !ahead.ends()) {
    const std::optional<char> byte = only_byte(vocabulary_, *ahead.mask());
    if (!byte || !ahead.accept(LLAMA_TOKEN_NULL, std::string_view(&*byte, 1))) break;
    text += *byte;
  }
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
  if (std::find(triggers.begin(), triggers.end(), token) != triggers.end()) {
    sleep_.reset();
    take(token);
    return;
  }
  if (trigger_patterns_.empty() || vocabulary_.ends_generation(token)) return;
  const size_t searched = sleep_->text.size();
  vocabulary_.append_piece(token, /*special=*/true, sleep_->text);
  sleep_->ends.push_back(sleep_->text.size());
  sleep_->generated.push_back(token);
  if (const std::optional<size_t> start = sleep_->trigger.find(sleep_->text, searched))
    wake(*start);
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
  const std::string_view bytes = grammar_bytes(piece).substr(std::min(from, piece.size()));
  const bool taken = vocabulary_.ends_generation(token)
                         ? matcher_.ends()
                         : !bytes.empty() && matcher_.accept(token, bytes);
  if (taken) return;
  throw Error(code::kGrammarInvalid, "The grammar does not allow the token " +
                                         std::to_string(token) + ", \"" +
                                         vocabulary_.detokenize({token}, true) + "\", here.");
}

// As text, unless the grammar names tokens: then as the tokens that the text makes.
void GrammarFilter::accept_prefix(const std::string& prefix) {
  const auto accept = [&](llama_token token, std::string_view bytes) {
    if (matcher_.accept(token, bytes)) return;
    throw Error(
        code::kGrammarInvalid,
        "The grammar does not begin with the text in front of the output: \"" + prefix + "\".");
  };
  if (!matcher_.names_tokens()) {
    accept(LLAMA_TOKEN_NULL, prefix);
    return;
  }
  size_t at = 0;
  for (const llama_token token : vocabulary_.tokenize(prefix, /*special=*/true)) {
    std::string piece;
    vocabulary_.append_piece(token, /*special=*/true, piece);
    if (piece.empty()) continue;
    // Some tokenizers put a space in front of every text, or into its first token.
    if (piece.front() == ' ' && prefix.compare(at, piece.size(), piece) != 0) piece.erase(0, 1);
    at += piece.size();
    if (!piece.empty()) accept(token, piece);
  }
}

}  // namespace cria
