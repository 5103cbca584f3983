#include "core/request/request.h"

#include <algorithm>

#include "core/model/error.h"

namespace cria {

bool Prompt::has_media() const {
  return std::any_of(segments.begin(), segments.end(),
                     [](const Segment& one) { return std::holds_alternative<Media>(one); });
}

size_t Prompt::bytes() const {
  constexpr size_t kLong = size_t{1} << 30;
  if (has_media()) return kLong;
  size_t sum = 0;
  for (const Segment& segment : segments) {
    if (const auto* text = std::get_if<std::string>(&segment)) sum += text->size();
  }
  return sum;
}

Tokens tokenize(const Vocabulary& vocabulary, const Segment& segment) {
  if (const auto* text = std::get_if<std::string>(&segment)) {
    return vocabulary.tokenize(*text, /*special=*/false);
  }
  const auto* tokens = std::get_if<Tokens>(&segment);
  if (tokens == nullptr) {
    throw Error(code::kUnsupported,
                "Pictures and sounds are for generations and scores: a sequence that is driven by "
                "hand takes text and tokens only.");
  }
  for (const llama_token token : *tokens)
    vocabulary.check(token);
  return *tokens;
}

void expect_tokens(const Tokens& tokens) {
  if (!tokens.empty()) return;
  throw Error(code::kInvalidArgument,
              "Expected a prompt of at least one token, got none: the text is empty and this model "
              "has no beginning-of-text token.");
}

Tokens tokenize(const Vocabulary& vocabulary, const Prompt& prompt) {
  Tokens all;
  if (prompt.add_bos && vocabulary.bos() != LLAMA_TOKEN_NULL) all.push_back(vocabulary.bos());
  for (const Segment& segment : prompt.segments) {
    const Tokens tokens = tokenize(vocabulary, segment);
    all.insert(all.end(), tokens.begin(), tokens.end());
  }
  expect_tokens(all);
  return all;
}

}  // namespace cria
