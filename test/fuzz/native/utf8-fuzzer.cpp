// Against a decoder written another way: the state machine of the WHATWG's Encoding Standard.
#include <string>
#include <string_view>

#include "core/model/utf8.h"
#include "property.h"

namespace {

// `open`: how many bytes at the end begin a character that more bytes may finish.
std::string decoded(std::string_view bytes, size_t* open) {
  std::string text;
  std::string character;
  int needed = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (needed > 0) {
      if (byte >= low && byte <= high) {
        character += bytes[i];
        if (--needed == 0) text += character;
        low = 0x80;
        high = 0xBF;
        continue;
      }
      text += "\xEF\xBF\xBD";
      needed = 0;
      low = 0x80;
      high = 0xBF;
    }
    character = bytes.substr(i, 1);
    if (byte < 0x80) {
      text += character;
    } else if (byte >= 0xC2 && byte <= 0xDF) {
      needed = 1;
    } else if (byte >= 0xE0 && byte <= 0xEF) {
      if (byte == 0xE0) low = 0xA0;
      if (byte == 0xED) high = 0x9F;
      needed = 2;
    } else if (byte >= 0xF0 && byte <= 0xF4) {
      if (byte == 0xF0) low = 0x90;
      if (byte == 0xF4) high = 0x8F;
      needed = 3;
    } else {
      text += "\xEF\xBF\xBD";
    }
  }
  *open = needed > 0 ? character.size() : 0;
  if (needed > 0) text += "\xEF\xBF\xBD";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  size_t open = 0;
  const std::string expected = decoded(bytes, &open);
  const std::string text = cria::utf8::repair(bytes);
  DEMAND(text == expected);
  DEMAND(cria::utf8::unfinished_tail(bytes) == open);
  const std::string whole = bytes.substr(0, size - open);
  DEMAND(cria::utf8::begins_text(bytes) == (cria::utf8::repair(whole) == whole));
  DEMAND(cria::utf8::begins_text(text));
  return 0;
}
