#include "core/model/utf8.h"

#include <algorithm>

namespace cria::utf8 {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Prefix {
  size_t length;  // bytes that belong together, at least 1
  bool complete;  // they are a character
  bool open;      // they end with the text, and more bytes could complete them
};

// What a character that begins with `lead` allows as its second byte, and its length.
struct Lead {
  size_t length;
  unsigned char low;
  unsigned char high;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

Prefix first_of(std::string_view bytes) {
  const Lead lead = lead_of(static_cast<unsigned char>(bytes[0]));
  if (lead.length <= 1) return {1, lead.length == 1, false};
  size_t length = 1;
  for (; length < lead.length; ++length) {
    if (length == bytes.size()) return {length, false, true};
    const auto byte = static_cast<unsigned char>(bytes[length]);
    const unsigned char low = length == 1 ? lead.low : 0x80;
    const unsigned char high = length == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {length, false, false};
  }
  return {length, true, false};
}

}  // namespace

size_t character_length(std::string_view text, size_t position) {
  size_t end = position + 1;
  while (end < text.size() && continues(text[end]))
    ++end;
  return end - position;
}

size_t unfinished_tail(std::string_view bytes) {
  const size_t most = std::min<size_t>(3, bytes.size());
  for (size_t length = most; length > 0; --length) {
    const std::string_view tail = bytes.substr(bytes.size() - length);
    const auto byte = static_cast<unsigned char>(tail[0]);
    if (byte < 0xC0) continue;  // ASCII, or the inside of a character
    const Prefix prefix = first_of(tail);
    if (prefix.open && prefix.length == length) return length;
  }
  return 0;
}

bool begins_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const Prefix prefix = first_of(bytes);
    if (!prefix.complete) return prefix.open;
    bytes.remove_prefix(prefix.length);
  }
  return true;
}

std::string repair(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Prefix prefix = first_of(bytes);
    text.append(prefix.complete ? bytes.substr(0, prefix.length) : kReplacement);
    bytes.remove_prefix(prefix.length);
  }
  return text;
}

}  // namespace cria::utf8
