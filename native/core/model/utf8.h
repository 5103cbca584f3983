// UTF-8 as Unicode defines it (table 3-7 of the standard): no overlong forms, no surrogates,
// nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cria::utf8 {

// Whether a byte continues a character.
inline bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// The length in bytes of the character at `position`.
size_t character_length(std::string_view text, size_t position);

// The length, 0 to 3, of a character at the end that further bytes may complete.
size_t unfinished_tail(std::string_view bytes);

// Whether a text can begin with these bytes: none of them are ill-formed.
bool begins_text(std::string_view bytes);

// A copy with U+FFFD for each maximal ill-formed part, as the WHATWG decoder does it.
std::string repair(std::string_view bytes);

}  // namespace cria::utf8
