// UTF-8 as Unicode defines it (table 3-7 of the standard): no overlong forms, no surrogates,
// nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cria::utf8 {

// Whether a byte goes on with a character that another one began.
inline bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// How many bytes the character at `position` has.
size_t character_length(std::string_view text, size_t position);

// Bytes at the end that begin a character and may be finished by bytes to come: 0 to 3.
size_t unfinished_tail(std::string_view bytes);

// Whether a text can begin with these bytes: nothing ill-formed is among them.
bool begins_text(std::string_view bytes);

// A copy in which each maximal ill-formed part is U+FFFD, as the WHATWG decoder does it.
std::string repair(std::string_view bytes);

}  // namespace cria::utf8
