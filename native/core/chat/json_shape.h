// How JSON text from outside nests, told before it is parsed: whoever walks values recurses for
// each level, this room, llama.cpp's template engine and its destructors alike, and nlohmann's
// ordered objects are searched from their beginning for each member that is added.
#pragma once

#include <string_view>

namespace cria {

// As lib/internal/json-text.ts has them, which refuses more in everything that it parses itself.
inline constexpr int kMostLevels = 200;
inline constexpr int kMostMembers = 10'000;

// Of any text: what is no JSON may be told to be either.
bool is_too_nested(std::string_view json);

}  // namespace cria
