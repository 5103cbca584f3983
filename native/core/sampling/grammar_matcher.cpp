#include "core/sampling/grammar_matcher.h"

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/model/token_tree.h"
#include "core/model/utf8.h"

namespace cria {

using Lock = std::lock_guard<std::mutex>;

namespace {

// What grammars see of a token; nothing of one that they never allow.
std::string piece_of(const Vocabulary& vocabulary, llama_token token) {
  std::string piece;
  if (token < 0 || vocabulary.ends_generation(token)) return piece;
  vocabulary.append_piece(token, /*special=*/true, piece);
  piece.resize(grammar_bytes(piece).size());
  return piece;
}

}  // namespace

GrammarMatcher::GrammarMatcher(std::shared_ptr<CompiledGrammar> grammar)
    : grammar_(std::move(grammar)) {
  const Lock lock(grammar_->mutex());
  masks_ = grammar_->masks();
  masks_->states().work().begin();
  state_ = masks_->states().start();
}

// Where the states are kept now.
TokenMasks& GrammarMatcher::masks() {
  std::shared_ptr<TokenMasks> current = grammar_->masks();
  current->states().work().begin();
  if (current != masks_) {
    state_ = current->states().copy(masks_->states(), state_);
    masks_ = std::move(current);
  }
  return *masks_;
}

std::shared_ptr<const TokenSet> GrammarMatcher::mask() {
  const Lock lock(grammar_->mutex());
  TokenMasks& masks = this->masks();
  std::shared_ptr<const TokenSet> set = masks.at(state_);
  if (!grammar_->names_tokens()) return set;
  TokenSet with_tokens = *set;
  add_tokens(with_tokens);
  return std::make_shared<const TokenSet>(std::move(with_tokens));
}

// Those that a rule takes as such, as long as the text stays one.
void GrammarMatcher::add_tokens(TokenSet& set) {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  GrammarStates& states = masks_->states();
  std::optional<TextTokens> continuing;
  for (const Item& item : states.items(state_)) {
    for (const TokenStep& step : states.locals().token_steps(item.local)) {
      if (!step.token.negated) {
        const std::string piece = piece_of(vocabulary, step.token.id);
        if (!piece.empty() && behind_step(step, item, piece) != GrammarStates::kDead) {
          set.add(step.token.id);
        }
        continue;
      }
      if (!open_.empty() && !continuing) continuing.emplace(vocabulary, open_);
      const TextTokens& texts = continuing ? *continuing : grammar_->texts();
      const bool cut = behind_cut(step, item) != GrammarStates::kDead;
      TokenSet others = cut ? texts.all : texts.whole;
      if (step.token.id >= 0) others.remove(step.token.id);
      set.add(others);
    }
  }
}

// Sets of characters take whole ones: behind a token that began one, only tokens may go on.
GrammarMatcher::State GrammarMatcher::behind_cut(const TokenStep& step, Item item) {
  GrammarStates& states = masks_->states();
  return states.tokens_only(states.behind_token(step, item.below));
}

// Where the text stands if this step takes a token with these bytes; kDead if it stays no text.
GrammarMatcher::State GrammarMatcher::behind_step(const TokenStep& step, Item item,
                                                  std::string_view bytes) {
  const std::string text = open_ + std::string(bytes);
  if (!utf8::begins_text(text)) return GrammarStates::kDead;
  const bool cut = utf8::unfinished_tail(text) > 0;
  return cut ? behind_cut(step, item) : masks_->states().behind_token(step, item.below);
}

// Where the text then stands; kDead if it cannot.
GrammarMatcher::State GrammarMatcher::behind(llama_token token, std::string_view bytes) {
  GrammarStates& states = masks_->states();
  State state = state_;
  for (const char byte : bytes) {
    if (state == GrammarStates::kDead) break;
    state = states.next(state, static_cast<uint8_t>(byte));
  }
  if (token < 0 || !grammar_->names_tokens()) return state;
  for (const Item& item : states.items(state_)) {
    for (const TokenStep& step : states.locals().token_steps(item.local)) {
      if ((step.token.id == token) != step.token.negated) {
        state = states.either(state, behind_step(step, item, bytes));
      }
    }
  }
  return state;
}

bool GrammarMatcher::allows(llama_token token) {
  const Lock lock(grammar_->mutex());
  TokenMasks& masks = this->masks();
  const Vocabulary& vocabulary = grammar_->vocabulary();
  if (vocabulary.ends_generation(token)) return masks.states().ends(state_);
  const std::string bytes = piece_of(vocabulary, token);
  return !bytes.empty() && behind(token, bytes) != GrammarStates::kDead;
}

bool GrammarMatcher::ends() {
  const Lock lock(grammar_->mutex());
  return masks().states().ends(state_);
}

bool GrammarMatcher::accept(llama_token token, std::string_view bytes) {
  const Lock lock(grammar_->mutex());
  masks();
  const State state = behind(token, bytes);
  if (state == GrammarStates::kDead) return false;
  state_ = state;
  open_ += bytes;
  open_.erase(0, open_.size() - utf8::unfinished_tail(open_));
  return true;
}

std::string GrammarMatcher::forced(size_t most) {
  const Lock lock(grammar_->mutex());
  GrammarStates& states = masks().states();
  std::string text;
  State state = state_;
  while (text.size() < most && !states.ends(state)) {
    const std::optional<char> byte = only_byte(state);
    if (!byte) break;
    text += *byte;
    state = states.next(state, static_cast<uint8_t>(*byte));
  }
  return text;
}

std::optional<char> GrammarMatcher::only_byte(State state) {
  GrammarStates& states = masks_->states();
  std::optional<char> only;
  for (int byte = 0; byte < 256; ++byte) {
    if (states.next(state, static_cast<uint8_t>(byte)) == GrammarStates::kDead) continue;
    if (only) return std::nullopt;
    only = static_cast<char>(byte);
  }
  return only;
}

}  // namespace cria
