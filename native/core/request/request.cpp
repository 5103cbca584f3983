#include "core/request/request.h"

#include "core/model/error.h"

namespace cria {

size_t Prompt::bytes() const {
  size_t sum = 0;
  for (const Segment& segment : segments) {
    if (const auto* text = std::get_if<std::string>(&segment)) sum += text->size();
  }
  return sum;
}

Tokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt) {
  Tokens all;
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
  }
  if (all.empty()) {
    throw Error(code::kInvalidArgument,
                "Expected a prompt of at least one token, got none: the text is empty and this "
                "model has no beginning-of-text token.");
  }
  return all;
}

}  // namespace cria
