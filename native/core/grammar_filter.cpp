#include "grammar_filter.h"

#include <cmath>
#include <vector>

#include "error.h"

namespace cria {

namespace {

void check_tokens(const Vocabulary& vocabulary, const step::Grammar& grammar) {
  // llama.cpp would tell this on stderr.
  for (const std::string& token : grammar.tokens) {
    if (vocabulary.tokenize(token, /*special=*/true).size() == 1) continue;
    throw Error(code::kGrammarInvalid,
                "The grammar names the token " + token + ", which this model does not have.");
  }
}

llama_sampler* make(const Vocabulary& vocabulary, const step::Grammar& grammar) {
  if (!grammar.lazy) {
    return llama_sampler_init_grammar(vocabulary.handle(), grammar.source.c_str(),
                                      grammar.root.c_str());
  }
  std::vector<const char*> patterns;
  for (const std::string& pattern : grammar.trigger_patterns)
    patterns.push_back(pattern.c_str());
  return llama_sampler_init_grammar_lazy_patterns(
      vocabulary.handle(), grammar.source.c_str(), grammar.root.c_str(), patterns.data(),
      patterns.size(), grammar.trigger_tokens.data(), grammar.trigger_tokens.size());
}

}  // namespace

GrammarFilter::GrammarFilter(const Vocabulary& vocabulary, const step::Grammar& grammar)
    : vocabulary_(vocabulary) {
  check_tokens(vocabulary, grammar);
  grammar_.reset(make(vocabulary, grammar));
  if (!grammar_) {
    throw Error(code::kGrammarInvalid, "llama.cpp does not take this grammar.");
  }
}

GrammarFilter::GrammarFilter(const GrammarFilter& other)
    : vocabulary_(other.vocabulary_), grammar_(llama_sampler_clone(other.grammar_.get())) {}

bool GrammarFilter::allows(llama_token token) {
  llama_token_data candidate{token, 1.0F, 0.0F};
  llama_token_data_array array{&candidate, 1, -1, false};
  llama_sampler_apply(grammar_.get(), &array);
  return std::isfinite(candidate.logit);
}

void GrammarFilter::filter(llama_token_data_array& candidates) {
  llama_sampler_apply(grammar_.get(), &candidates);
}

const Tokens& GrammarFilter::allowed() {
  allowed_.clear();
  std::vector<llama_token_data> all;
  for (llama_token token = 0; token < vocabulary_.size(); ++token)
    all.push_back({token, 1.0F, 0.0F});
  llama_token_data_array array{all.data(), all.size(), -1, false};
  filter(array);
  for (const llama_token_data& candidate : all) {
    if (std::isfinite(candidate.logit)) allowed_.push_back(candidate.id);
  }
  return allowed_;
}

void GrammarFilter::accept(llama_token token) { llama_sampler_accept(grammar_.get(), token); }

}  // namespace cria
