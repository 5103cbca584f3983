#include "core/sampling/grammar_filter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <numeric>

#include "core/model/error.h"
#include "core/model/token_tree.h"
#include "core/model/utf8.h"

namespace cria {

namespace {

// If there are ever more ways to read the text so far, every token takes longer, at worst twice as
// long as the one before. llama.cpp cannot be interrupted, so this is only noticed afterwards.
constexpr auto kLongestStep = std::chrono::seconds(5);

class StepTimer {
 public:
  void check() const {
    if (std::chrono::steady_clock::now() - begin_ < kLongestStep) return;
    throw Error(code::kGrammarInvalid,
                "The grammar has become too ambiguous to go on with: there are too many ways to "
                "read the text so far. Give alternatives that begin alike one rule for what they "
                "share.");
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// llama.cpp copies the candidates for every character that it looks at. So many at a time stay in
// the CPU's caches.
constexpr size_t kPiece = 4096;

// From so many nodes on, walk_from_ends() is faster.
constexpr size_t kManyLeft = 4096;

bool is_allowed(const llama_token_data& candidate) { return std::isfinite(candidate.logit); }

// The tokens that the grammar names, rising. llama.cpp would say on stderr that it does not know
// one.
Tokens named_tokens(const Vocabulary& vocabulary, const step::Grammar& grammar) {
  Tokens named;
  for (const std::string& text : grammar.tokens) {
    const Tokens tokens = vocabulary.tokenize(text, /*special=*/true);
    if (tokens.size() != 1) {
      throw Error(code::kGrammarInvalid,
                  "The grammar names the token " + text + ", which this model does not have.");
    }
    named.push_back(tokens.front());
  }
  // A literal that looks like an id costs one question more, and nothing else.
  const std::string& source = grammar.source;
  for (size_t at = source.find("<["); at != std::string::npos; at = source.find("<[", at + 2)) {
    const auto id = static_cast<llama_token>(std::strtoul(source.c_str() + at + 2, nullptr, 10));
    if (vocabulary.contains(id)) named.push_back(id);
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  return named;
}

// Whether a negated class may leave out characters beyond ASCII: llama.cpp then refuses the first
// bytes of these, though other characters begin with them. True too often only costs questions.
bool may_exclude_beyond_ascii(const std::string& source) {
  if (source.find("[^") == std::string::npos) return false;
  for (size_t i = 0; i < source.size(); ++i) {
    if (static_cast<unsigned char>(source[i]) >= 0x80) return true;
    if (source[i] != '\\' || i + 2 >= source.size()) continue;
    const char letter = source[++i];
    if (letter == 'u' || letter == 'U' || (letter == 'x' && source[i + 1] >= '8')) return true;
  }
  return false;
}

}  // namespace

GrammarFilter::GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar)
    : vocabulary_(vocabulary), grammar_(grammar), awake_(!grammar.lazy) {
  if (llama_vocab_type(vocabulary.handle()) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(code::kUnsupported, "This model has no vocabulary, which a grammar needs.");
  }
  for (const llama_token token : grammar.trigger_tokens)
    vocabulary.check(token);
  named_ = named_tokens(vocabulary, grammar);
  excludes_beyond_ascii_ = may_exclude_beyond_ascii(grammar.source);
  sampler_ = make(nullptr);
  if (!awake_) sleep_ = Sleep{Trigger(grammar.trigger_patterns), {}, {}, {}};
  if (!grammar.prefix.empty()) accept_prefix();
}

GrammarFilter::GrammarFilter(const GrammarFilter& other)
    : vocabulary_(other.vocabulary_),
      grammar_(other.grammar_),
      sampler_(llama_sampler_clone(other.sampler_.get())),
      awake_(other.awake_),
      sleep_(other.sleep_),
      remaining_(other.remaining_),
      open_(other.open_),
      named_(other.named_),
      excludes_beyond_ascii_(other.excludes_beyond_ascii_) {}

// With a pattern the sampler is lazy: of the token that completes a match, the grammar then gets
// only the part that belongs to the pattern's group.
LlamaSampler GrammarFilter::make(const char* pattern) const {
  const char* source = grammar_.source.c_str();
  const char* root = grammar_.root.c_str();
  LlamaSampler made(pattern == nullptr
                        ? llama_sampler_init_grammar(vocabulary_.handle(), source, root)
                        : llama_sampler_init_grammar_lazy_patterns(vocabulary_.handle(), source,
                                                                   root, &pattern, 1, nullptr, 0));
  if (!made) throw Error(code::kGrammarInvalid, "llama.cpp does not accept this grammar.");
  return made;
}

bool GrammarFilter::allows(llama_token token) {
  llama_token_data candidate{token, 1.0F, 0.0F};
  llama_token_data_array array{&candidate, 1, -1, false};
  filter(array);
  return is_allowed(candidate);
}

void GrammarFilter::filter(llama_token_data_array& candidates) {
  if (!awake_) return;
  const StepTimer timer;
  llama_sampler_apply(sampler_.get(), &candidates);
  for (size_t i = 0; i < candidates.size; ++i) {
    llama_token_data& candidate = candidates.data[i];
    if (is_allowed(candidate) && !is_text(candidate.id)) {
      candidate.logit = -std::numeric_limits<float>::infinity();
    }
  }
  timer.check();
}

// llama.cpp accepts bytes that are not characters: above U+10FFFF, surrogates, overlong forms. In
// the output each of their bytes would become a character of its own, which the grammar did not
// count.
bool GrammarFilter::is_text(llama_token token) {
  const TokenTree& tree = vocabulary_.tree();
  if (remaining_ <= 0 && tree.begins_text(token)) return true;
  if (vocabulary_.ends_generation(token) || is_named(token)) return true;
  if (remaining_ <= 0) return false;
  if (open_.empty()) return true;  // a token that the grammar named began it
  bytes_ = open_;
  vocabulary_.append_piece(token, /*special=*/true, bytes_);
  bytes_.resize(std::min(bytes_.size(), bytes_.find('\0')));
  return utf8::begins_text(bytes_);
}

const Tokens& GrammarFilter::allowed() {
  allowed_.clear();
  if (!awake_) {
    allowed_.resize(static_cast<size_t>(vocabulary_.size()));
    std::iota(allowed_.begin(), allowed_.end(), 0);
    return allowed_;
  }
  const TokenTree& tree = vocabulary_.tree();
  ask(tree.ending());
  ask(named_);
  // In the middle of a character only tokens that continue it may come.
  if (remaining_ > 0) {
    ask(tree.continuing());
  } else {
    walk();
  }
  sort_allowed();
  return allowed_;
}

void GrammarFilter::sort_allowed() {
  if (allowed_.size() < kManyLeft) {
    std::sort(allowed_.begin(), allowed_.end());
    allowed_.erase(std::unique(allowed_.begin(), allowed_.end()), allowed_.end());
    return;
  }
  marks_.assign(static_cast<size_t>(vocabulary_.size()), 0);
  for (const llama_token token : allowed_)
    marks_[static_cast<size_t>(token)] = 1;
  allowed_.clear();
  for (llama_token token = 0; token < vocabulary_.size(); ++token) {
    if (marks_[static_cast<size_t>(token)] != 0) allowed_.push_back(token);
  }
}

void GrammarFilter::ask(const Tokens& tokens) {
  asked_.clear();
  for (const llama_token token : tokens)
    asked_.push_back({token, 1.0F, 0.0F});
  llama_token_data_array array{asked_.data(), asked_.size(), -1, false};
  filter(array);
  for (const llama_token_data& candidate : asked_) {
    if (is_allowed(candidate)) allowed_.push_back(candidate.id);
  }
}

bool GrammarFilter::is_named(llama_token token) const {
  return std::binary_search(named_.begin(), named_.end(), token);
}

// Adds a token of the node to the question, one that the grammar does not name: the answer for a
// named token would not hold for the others.
bool GrammarFilter::put_question(uint32_t place) {
  const TokenTree& tree = vocabulary_.tree();
  const TokenTree::Range tokens = tree.nodes()[place].tokens;
  const llama_token* begin = tree.tokens().data() + tokens.begin;
  const llama_token* end = tree.tokens().data() + tokens.end;
  const llama_token* token = std::find_if(begin, end, [&](llama_token t) { return !is_named(t); });
  if (token == end) return false;
  asked_.push_back({*token, 1.0F, 0.0F});
  return true;
}

void GrammarFilter::answer() {
  for (size_t begin = 0; begin < asked_.size(); begin += kPiece) {
    const size_t size = std::min(kPiece, asked_.size() - begin);
    llama_token_data_array array{asked_.data() + begin, size, -1, false};
    filter(array);
  }
}

void GrammarFilter::keep(uint32_t place) {
  const TokenTree& tree = vocabulary_.tree();
  const TokenTree::Range tokens = tree.nodes()[place].tokens;
  for (uint32_t i = tokens.begin; i < tokens.end; ++i) {
    const llama_token token = tree.tokens()[i];
    if (!is_named(token)) allowed_.push_back(token);
  }
}

// Level by level: below an allowed node all children are tried.
void GrammarFilter::walk() {
  const std::vector<TokenTree::Node>& nodes = vocabulary_.tree().nodes();
  const auto descend = [&](uint32_t place) {
    const TokenTree::Range children = nodes[place].children;
    for (uint32_t child = children.begin; child < children.end; ++child)
      below_.push_back(child);
  };
  const TokenTree::Range roots = vocabulary_.tree().roots();
  below_.resize(roots.end - roots.begin);
  std::iota(below_.begin(), below_.end(), roots.begin);
  for (int depth = 0; !below_.empty(); ++depth) {
    asked_.clear();
    level_.clear();
    for (size_t i = 0; i < below_.size(); ++i) {
      const uint32_t place = below_[i];
      if (put_question(place)) {
        level_.push_back(place);
      } else {
        descend(place);
      }
    }
    answer();
    below_.clear();
    size_t allowed = 0;
    size_t left = 0;
    for (size_t i = 0; i < level_.size(); ++i) {
      const uint32_t place = level_[i];
      if (is_allowed(asked_[i])) {
        keep(place);
        descend(place);
        ++allowed;
        left += nodes[place].below;
      } else if (!nodes[place].whole && excludes_beyond_ascii_) {
        descend(place);
        left += nodes[place].below;
      }
    }
    if (depth > 0 && left > kManyLeft && allowed > level_.size() / 2) {
      walk_from_ends();
      return;
    }
  }
}

// Finds everything that is allowed among the nodes in `below_` and their descendants, if that is
// most of them: the ancestors of an allowed node are allowed, and need not be asked about.
void GrammarFilter::walk_from_ends() {
  const TokenTree& tree = vocabulary_.tree();
  const std::vector<TokenTree::Node>& nodes = tree.nodes();
  constexpr uint8_t kOpen = 1;
  constexpr uint8_t kReached = 2;  // it, or a descendant, is allowed
  constexpr uint8_t kDone = 4;
  marks_.assign(nodes.size(), 0);
  for (size_t i = 0; i < below_.size(); ++i) {
    const TokenTree::Range children = nodes[below_[i]].children;
    marks_[below_[i]] = kOpen;
    for (uint32_t child = children.begin; child < children.end; ++child)
      below_.push_back(child);
  }
  // In the order of ids, which is the order of the texts in llama.cpp's memory.
  const auto ask_where = [&](const auto& wanted) {
    asked_.clear();
    for (llama_token token = 0; token < vocabulary_.size(); ++token) {
      const uint32_t place = tree.places()[static_cast<size_t>(token)];
      if (place == TokenTree::kNowhere || !wanted(place) || is_named(token)) continue;
      asked_.push_back({token, 1.0F, 0.0F});
    }
    answer();
    for (const llama_token_data& candidate : asked_) {
      if (!is_allowed(candidate)) continue;
      marks_[tree.places()[static_cast<size_t>(candidate.id)]] |= kReached;
      allowed_.push_back(candidate.id);
    }
  };
  ask_where([&](uint32_t place) { return marks_[place] == kOpen && nodes[place].below == 0; });
  for (size_t i = below_.size(); i-- > 0;) {
    const TokenTree::Node& node = nodes[below_[i]];
    uint8_t reached = 0;
    for (uint32_t child = node.children.begin; child < node.children.end; ++child)
      reached |= marks_[child] & kReached;
    if (reached == 0) continue;
    marks_[below_[i]] |= kReached;
    if (!node.whole && excludes_beyond_ascii_) continue;
    marks_[below_[i]] |= kDone;
    keep(below_[i]);
  }
  ask_where([&](uint32_t place) {
    return (marks_[place] & (kOpen | kDone)) == kOpen && nodes[place].below > 0;
  });
}

void GrammarFilter::accept(llama_token token) {
  if (awake_) {
    take(token);
  } else {
    listen(token);
  }
}

void GrammarFilter::listen(llama_token token) {
  const Tokens& triggers = grammar_.trigger_tokens;
  if (std::find(triggers.begin(), triggers.end(), token) != triggers.end()) {
    awake_ = true;
    sleep_.reset();
    take(token);
    return;
  }
  if (grammar_.trigger_patterns.empty() || vocabulary_.ends_generation(token)) return;
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
  awake_ = true;
  const auto first = static_cast<size_t>(
      std::upper_bound(sleep.ends.begin(), sleep.ends.end(), start) - sleep.ends.begin());
  const size_t begin = first == 0 ? 0 : sleep.ends[first - 1];
  if (first < sleep.generated.size() && begin < start) {
    const std::string pattern = "^[\\s\\S]{" + std::to_string(start - begin) + "}([\\s\\S]+)$";
    sampler_ = make(pattern.c_str());
  }
  for (size_t i = first; i < sleep.generated.size(); ++i)
    take(sleep.generated[i]);
  if (first < sleep.generated.size()) {
    const std::string text = sleep.text.substr(start);
    remaining_ = remaining_bytes(text, 0);
    open_ = text.substr(text.size() - utf8::unfinished_tail(text));
  }
}

void GrammarFilter::take(llama_token token) {
  const StepTimer timer;
  const auto refuse = [&] {
    throw Error(code::kGrammarInvalid, "The grammar does not allow the token " +
                                           std::to_string(token) + ", \"" +
                                           vocabulary_.detokenize({token}, true) + "\", here.");
  };
  if (vocabulary_.ends_generation(token)) {
    if (!allows(token)) refuse();  // llama.cpp would abort the process
    return;
  }
  try {
    llama_sampler_accept(sampler_.get(), token);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    refuse();
  }
  std::string piece;
  vocabulary_.append_piece(token, /*special=*/true, piece);
  remaining_ = remaining_bytes(piece, remaining_);
  open_ += piece;
  open_.erase(0, open_.size() - utf8::unfinished_tail(open_));
  timer.check();
}

void GrammarFilter::accept_prefix() {
  const std::string& prefix = grammar_.prefix;
  size_t at = 0;
  for (const llama_token token : vocabulary_.tokenize(prefix, /*special=*/true)) {
    std::string piece;
    vocabulary_.append_piece(token, /*special=*/true, piece);
    if (piece.empty()) continue;
    // Some tokenizers put a space in front of every text, or into its first token.
    const bool spaced = piece.front() == ' ' && prefix.compare(at, piece.size(), piece) != 0;
    if (spaced) piece.erase(0, 1);
    at += piece.size();
    if (!spaced) {
      accept_of_prefix(token);
      continue;
    }
    while (!piece.empty()) {
      const auto [part, length] = longest_at_start(piece);
      accept_of_prefix(part);
      piece.erase(0, length);
    }
  }
}

void GrammarFilter::accept_of_prefix(llama_token token) {
  if (token < 0 || !allows(token)) {
    throw Error(code::kGrammarInvalid,
                "The grammar does not begin with the text in front of the output: \"" +
                    grammar_.prefix + "\".");
  }
  accept(token);
}

// The longest token that `text` begins with, and its length; -1 if there is none.
std::pair<llama_token, size_t> GrammarFilter::longest_at_start(const std::string& text) const {
  std::pair<llama_token, size_t> longest{-1, 1};
  std::string piece;
  for (llama_token token = 0; token < vocabulary_.size(); ++token) {
    piece.clear();
    vocabulary_.append_piece(token, /*special=*/false, piece);
    const bool begins = !piece.empty() && text.compare(0, piece.size(), piece) == 0;
    if (begins && (longest.first < 0 || piece.size() > longest.second)) {
      longest = {token, piece.size()};
    }
  }
  return longest;
}

}  // namespace cria
