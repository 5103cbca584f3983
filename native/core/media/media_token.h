// What stands for media among the tokens of a prompt, one for each row of their embeddings: numbers
// below every token, so that a prompt's length, its beginning in the cache, and the cells that it
// takes are counted as ever. Equal numbers stand for the same content.
//
// With M-RoPE the rows of a picture lie side by side: they take fewer positions than there are
// rows. So each number also says whether the position behind it is one farther.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

// So many contents can be told apart in one process.
inline constexpr int32_t kMostMediaIds = 1 << 29;

// `id`: from 0, below kMostMediaIds.
constexpr llama_token media_token(int32_t id, bool advances) {
  return -2 - (2 * id + (advances ? 0 : 1));
}
constexpr bool is_media(llama_token token) { return token < LLAMA_TOKEN_NULL; }
constexpr bool advances(llama_token token) { return !is_media(token) || token % 2 == 0; }

// The same content, if both are media.
constexpr bool same_media(llama_token a, llama_token b) { return (-2 - a) / 2 == (-2 - b) / 2; }

Tokens without_media(const Tokens& tokens);

// llama.cpp's position of the token at `index`, or of the next one behind all.
llama_pos position_at(const Tokens& tokens, int32_t index);

// `index`, or where the media begin that it would cut in two: their rows belong together.
int32_t uncut_media(const Tokens& tokens, int32_t index);

}  // namespace cria
