#include "request.h"

#include <utility>

#include "error.h"

namespace cria {

Tokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt) {
  return tokenize(vocabulary, prompt, -1).tokens;
}

CutTokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt, int32_t segments) {
  Tokens all;
  int32_t cut = segments < 0 ? -1 : 0;
  int32_t count = 0;
  if (prompt.add_bos && vocabulary.bos() != LLAMA_TOKEN_NULL) all.push_back(vocabulary.bos());
  for (const Segment& segment : prompt.segments) {
    if (const auto* text = std::get_if<std::string>(&segment)) {
      const Tokens tokens = vocabulary.tokenize(*text, /*special=*/false);
      all.insert(all.end(), tokens.begin(), tokens.end());
    } else {
      const Tokens& tokens = std::get<Tokens>(segment);
      for (const llama_token token : tokens)
        vocabulary.check(token);
      all.insert(all.end(), tokens.begin(), tokens.end());
    }
    if (++count == segments) cut = static_cast<int32_t>(all.size());
  }
  if (all.empty()) {
    throw Error(code::kInvalidArgument,
                "Expected a prompt of at least one token, got none: the text is empty and this "
                "model has no beginning-of-text token.");
  }
  return {std::move(all), cut};
}

}  // namespace cria
