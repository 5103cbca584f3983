// What a saved state of llama.cpp's claims of itself. llama.cpp makes room for as many cells as a
// state says it has before it reads the first one: for four billion of them, where a bit is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cria {

// Whether a cache in it claims more cells than the sequence has tokens. Where the layout is none
// that is known here (caches of other kinds than keys and values), the rest is left to llama.cpp.
bool claims_too_many_cells(const std::vector<uint8_t>& state, size_t tokens);

}  // namespace cria
