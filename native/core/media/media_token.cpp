#include "core/media/media_token.h"

#include <algorithm>
#include <iterator>

namespace cria {

Tokens without_media(const Tokens& tokens) {
  Tokens others;
  std::remove_copy_if(tokens.begin(), tokens.end(), std::back_inserter(others), is_media);
  return others;
}

llama_pos position_at(const Tokens& tokens, int32_t index) {
  // A loop that compilers turn into vector instructions: it runs over whole prompts.
  int32_t beside = 0;
  for (int32_t i = 0; i < index; ++i)
    beside += advances(tokens[static_cast<size_t>(i)]) ? 0 : 1;
  return index - beside;
}

int32_t uncut_media(const Tokens& tokens, int32_t index) {
  if (index <= 0 || index >= static_cast<int32_t>(tokens.size())) return index;
  const llama_token token = tokens[static_cast<size_t>(index)];
  if (!is_media(token)) return index;
  const auto belongs = [&](int32_t i) {
    const llama_token other = tokens[static_cast<size_t>(i)];
    return is_media(other) && same_media(other, token);
  };
  while (index > 0 && belongs(index - 1))
    --index;
  return index;
}

}  // namespace cria
