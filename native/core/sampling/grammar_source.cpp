#include "core/sampling/grammar_source.h"

#include <algorithm>
#include <cstdlib>

namespace cria {

GrammarSource::GrammarSource(const std::string& source, const Vocabulary& vocabulary) {
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

size_t GrammarSource::read_class(const std::string& source, size_t at) {
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

size_t GrammarSource::read_token(const std::string& source, size_t at,
                                 const Vocabulary& vocabulary) {
  const size_t end = std::min(source.find('>', at), source.size() - 1) + 1;
  const std::string text = source.substr(at, end - at);
  if (text[1] == '[') {
    const auto token = static_cast<llama_token>(std::strtoul(text.c_str() + 2, nullptr, 10));
    if (vocabulary.contains(token)) named.insert(token);
  } else {
    const Tokens tokens = vocabulary.tokenize(text, /*special=*/true);
    if (tokens.size() == 1) named.insert(tokens[0]);
  }
  return end;
}

}  // namespace cria
