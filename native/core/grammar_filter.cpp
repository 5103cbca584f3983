#include "grammar_filter.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <new>
#include <numeric>
#include <set>

#include "error.h"
#include "token_tree.h"

namespace cria {

namespace {

// A grammar with ever more ways to read the same text takes ever longer for each token, twice as
// long as for the one before at worst. llama.cpp cannot be interrupted, so that is found
// afterwards.
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

bool is_allowed(const llama_token_data& candidate) { return std::isfinite(candidate.logit); }

void check_tokens(const Vocabulary& vocabulary, const step::Grammar& grammar) {
  if (llama_vocab_type(vocabulary.handle()) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(code::kUnsupported, "This model has no vocabulary, which a grammar needs.");
  }
  // llama.cpp would tell this on stderr.
  for (const std::string& token : grammar.tokens) {
    if (vocabulary.tokenize(token, /*special=*/true).size() == 1) continue;
    throw Error(code::kGrammarInvalid,
                "The grammar names the token " + token + ", which this model does not have.");
  }
  for (const llama_token token : grammar.trigger_tokens)
    vocabulary.check(token);
}

// What a walk through the tokens has to know of a grammar's source, which is well-formed.
struct Source {
  std::set<llama_token> named;
  // Of a character that such a class leaves out, llama.cpp refuses the first bytes, too, though
  // other characters begin with them.
  bool excludes_beyond_ascii = false;

  Source(const std::string& source, const Vocabulary& vocabulary) {
    for (size_t at = 0; at < source.size();) {
      switch (source[at]) {
        case '#':
          at = std::min(source.find_first_of("\r\n", at), source.size());
          break;
        case '"':
          for (++at; at < source.size() && source[at] != '"'; ++at)
            at += source[at] == '\\' ? 1 : 0;
          ++at;
          break;
        case '[':
          at = read_class(source, at + 1);
          break;
        case '<':
          at = read_token(source, at, vocabulary);
          break;
        default:
          ++at;
      }
    }
  }

 private:
  size_t read_class(const std::string& source, size_t at) {
    const bool negated = at < source.size() && source[at] == '^';
    bool beyond_ascii = false;
    for (; at < source.size() && source[at] != ']'; ++at) {
      beyond_ascii = beyond_ascii || static_cast<unsigned char>(source[at]) >= 0x80;
      if (source[at] != '\\') continue;
      const char letter = ++at < source.size() ? source[at] : '\0';
      const bool high = letter == 'x' && at + 1 < source.size() && source[at + 1] >= '8';
      beyond_ascii = beyond_ascii || letter == 'u' || letter == 'U' || high;
    }
    excludes_beyond_ascii = excludes_beyond_ascii || (negated && beyond_ascii);
    return at + 1;
  }

  size_t read_token(const std::string& source, size_t at, const Vocabulary& vocabulary) {
    const size_t end = std::min(source.find('>', at), source.size() - 1) + 1;
    const std::string text = source.substr(at, end - at);
    if (text[1] == '[') {
      named.insert(static_cast<llama_token>(std::strtoul(text.c_str() + 2, nullptr, 10)));
    } else {
      const Tokens tokens = vocabulary.tokenize(text, /*special=*/true);
      if (tokens.size() == 1) named.insert(tokens[0]);
    }
    return end;
  }
};

}  // namespace

GrammarFilter::GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar)
    : vocabulary_(vocabulary), grammar_(grammar), awake_(!grammar.lazy) {
  check_tokens(vocabulary, grammar);
  sampler_ = make(nullptr);
  Source source(grammar.source, vocabulary);
  for (const llama_token token : source.named) {
    if (vocabulary.contains(token)) named_.push_back(token);
  }
  excludes_beyond_ascii_ = source.excludes_beyond_ascii;
  if (!awake_) sleep_ = Sleep{Trigger(grammar.trigger_patterns), {}, {}, {}};
}

GrammarFilter::GrammarFilter(const GrammarFilter& other)
    : vocabulary_(other.vocabulary_),
      grammar_(other.grammar_),
      sampler_(llama_sampler_clone(other.sampler_.get())),
      awake_(other.awake_),
      sleep_(other.sleep_),
      remaining_(other.remaining_),
      named_(other.named_),
      excludes_beyond_ascii_(other.excludes_beyond_ascii_) {}

// With a pattern, lazy: what a match of its group begins with is all that the grammar gets of the
// token that completes the match.
GrammarFilter::Handle GrammarFilter::make(const char* pattern) const {
  const char* source = grammar_.source.c_str();
  const char* root = grammar_.root.c_str();
  Handle made(pattern == nullptr
                  ? llama_sampler_init_grammar(vocabulary_.handle(), source, root)
                  : llama_sampler_init_grammar_lazy_patterns(vocabulary_.handle(), source, root,
                                                             &pattern, 1, nullptr, 0));
  if (!made) throw Error(code::kGrammarInvalid, "llama.cpp does not take this grammar.");
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
  timer.check();
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
  ask(tree.overlong());
  ask(named_);
  // Within a character only what goes on with it may come.
  if (remaining_ > 0) {
    ask(tree.continuing());
  } else {
    walk(tree);
  }
  std::sort(allowed_.begin(), allowed_.end());
  allowed_.erase(std::unique(allowed_.begin(), allowed_.end()), allowed_.end());
  return allowed_;
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

// Level by level, down from what is allowed. Tokens that the grammar names are passed by: what it
// says of them it says of no other.
void GrammarFilter::walk(const TokenTree& tree) {
  level_.resize(tree.roots().end - tree.roots().begin);
  std::iota(level_.begin(), level_.end(), tree.roots().begin);
  const auto descend = [](const TokenTree::Node& node, std::vector<uint32_t>& level) {
    for (uint32_t child = node.children.begin; child < node.children.end; ++child)
      level.push_back(child);
  };
  while (!level_.empty()) {
    asked_.clear();
    for (size_t i = 0; i < level_.size(); ++i) {
      const uint32_t place = level_[i];
      const TokenTree::Node& node = tree.nodes()[place];
      const llama_token* begin = tree.tokens().data() + node.tokens.begin;
      const llama_token* end = tree.tokens().data() + node.tokens.end;
      const llama_token* token =
          std::find_if(begin, end, [&](llama_token t) { return !is_named(t); });
      if (token == end) {
        descend(node, level_);
      } else {
        level_[asked_.size()] = place;
        asked_.push_back({*token, 1.0F, 0.0F});
      }
    }
    level_.resize(asked_.size());
    llama_token_data_array array{asked_.data(), asked_.size(), -1, false};
    filter(array);
    next_.clear();
    for (size_t i = 0; i < level_.size(); ++i) {
      const TokenTree::Node& node = tree.nodes()[level_[i]];
      const bool allowed = is_allowed(asked_[i]);
      for (uint32_t place = node.tokens.begin; allowed && place < node.tokens.end; ++place) {
        const llama_token token = tree.tokens()[place];
        if (!is_named(token)) allowed_.push_back(token);
      }
      if (allowed || (!node.whole && excludes_beyond_ascii_)) descend(node, next_);
    }
    level_.swap(next_);
  }
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
  vocabulary_.append_piece(token, /*special=*/true, sleep_->text);
  sleep_->ends.push_back(sleep_->text.size());
  sleep_->generated.push_back(token);
  if (const std::optional<size_t> start = sleep_->trigger.find(sleep_->text)) wake(*start);
}

// The grammar gets the tokens from `start` on, of the first one perhaps only its end.
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
    remaining_ = remaining_bytes(sleep.text.substr(start), 0);
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
    if (!allows(token)) refuse();  // llama.cpp would end the process
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
  timer.check();
}

}  // namespace cria
