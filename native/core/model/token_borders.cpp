#include "core/model/token_borders.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "core/model/utf8.h"
#include "core/model/vocabulary.h"

namespace cria {

namespace {

bool is_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Signs that begin a new word after letters and digits in every vocabulary.
bool is_separator(unsigned char c) {
  return std::string_view(",.\";/+=").find(static_cast<char>(c)) != std::string_view::npos;
}

// The character that ends at `end`; 0 if the UTF-8 there is not valid.
uint32_t character_before(std::string_view text, size_t end) {
  size_t begin = end;
  while (begin > 0 && end - begin < 4) {
    --begin;
    if (!utf8::continues(text[begin])) break;
  }
  const auto first = static_cast<unsigned char>(text[begin]);
  const size_t length = end - begin;
  const size_t wanted = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length != wanted) return 0;
  if (length == 1) return first;
  uint32_t code = first & (0x7FU >> length);
  for (size_t i = begin + 1; i < end; ++i)
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3FU);
  return code;
}

bool is_wide_space(uint32_t code) {
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000 ||
         (code >= 0x1C && code <= 0x1F);
}

// Only of the scripts whose texts are longest.
bool is_wide_letter(uint32_t code) {
  return (code >= 0x410 && code <= 0x44F) || (code >= 0x3041 && code <= 0x3096) ||
         (code >= 0x30A1 && code <= 0x30FA) || (code >= 0x4E00 && code <= 0x9FA5) ||
         (code >= 0xAC00 && code <= 0xD7A3);
}

// Whether a piece that begins with spaces has the same tokens as after a word. The file has flags
// for that, but llama.cpp has no getter for them.
bool joins_spaces(const Vocabulary& vocabulary) {
  const auto tokens = [&](const char* text) { return vocabulary.tokenize(text, false); };
  return tokens("a  b") == tokens("a b") && tokens("  b") == tokens("b") &&
         tokens("a b").size() == tokens("a").size() + tokens("b").size();
}

enum Kind : unsigned char { kLetter, kDigit, kSign, kBeyond, kSpace };

// Unicode's white space beyond ASCII, in UTF-8.
bool begins_wide_space(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kSpaces = {
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
      "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  const std::string_view three = text.substr(0, 3);
  if (three >= "\xE2\x80\x80" && three <= "\xE2\x80\x8A") return true;
  return std::any_of(kSpaces.begin(), kSpaces.end(),
                     [&](std::string_view space) { return text.substr(0, space.size()) == space; });
}

Kind kind_at(std::string_view text) {
  const char c = text[0];
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return kLetter;
  if (c >= '0' && c <= '9') return kDigit;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return kSpace;
  if (static_cast<unsigned char>(c) < 0x80) return kSign;
  return begins_wide_space(text) ? kSpace : kBeyond;
}

}  // namespace

TokenBorders::TokenBorders(const Vocabulary& vocabulary) {
  const llama_vocab* vocab = vocabulary.handle();
  switch (llama_vocab_type(vocab)) {
    case LLAMA_VOCAB_TYPE_SPM:
    case LLAMA_VOCAB_TYPE_BPE:
      kind_ = Kind::kAll;
      break;
    case LLAMA_VOCAB_TYPE_WPM:
    case LLAMA_VOCAB_TYPE_UGM:  // white space in a row is one mark, in front of a text there is one
      kind_ = Kind::kWords;
      break;
    default:
      return;
  }
  const bool unigram = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_UGM;
  // What stands between these tags is tokenized in another way.
  const bool modes = vocabulary.by_text("<dna>") != LLAMA_TOKEN_NULL;
  if (modes || (unigram && !joins_spaces(vocabulary))) {
    kind_ = Kind::kNone;
    return;
  }
  const auto add = [&](std::string_view text) {
    for (size_t i = 1; i < text.size(); ++i) {
      const auto before = static_cast<unsigned char>(text[i - 1]);
      joined_[before * size_t{256} + static_cast<unsigned char>(text[i])] = true;
    }
  };
  behind_newline_ = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_SPM;
  if (behind_newline_ && vocabulary.by_text("\n") != LLAMA_TOKEN_NULL) kind_ = Kind::kNone;
  std::string piece;
  for (llama_token token = 0; token < vocabulary.size(); ++token) {
    piece.clear();
    vocabulary.append_piece(token, /*special=*/true, piece);
    add(piece);
  }
  for (const auto& [text, token] : vocabulary.named()) {
    add(text);
    // After these tokens white space is removed, or a space added.
    const bool strips = (llama_vocab_get_attr(vocab, token) & LLAMA_TOKEN_ATTR_RSTRIP) != 0;
    if (text.empty() || (!strips && !behind_newline_)) continue;
    for (size_t after = 0; after < 256; ++after)
      joined_[static_cast<unsigned char>(text.back()) * size_t{256} + after] = true;
  }
}

bool TokenBorders::is_border(std::string_view text, size_t at) const {
  const auto before = static_cast<unsigned char>(text[at - 1]);
  const auto after = static_cast<unsigned char>(text[at]);
  const bool space = after == ' ';
  const bool newline = after == '\n';
  const bool digit = is_digit(after);
  if (!space && !newline && !digit && !is_separator(after)) return false;
  if (is_space(before) || joined(before, after)) return false;
  if (behind_newline_ && joined('\n', after)) return false;
  if (kind_ == Kind::kWords) return space && before > ' ' && before < 0x7F;
  const bool letter = is_letter(before);
  if (before < 0x80) {
    if (space) return before > ' ' && before < 0x7F;
    return digit ? letter : letter || is_digit(before);
  }
  const uint32_t code = character_before(text, at);
  if (space) return code != 0 && !is_wide_space(code);
  return (newline || digit) && is_wide_letter(code);
}

size_t TokenBorders::next(std::string_view text, size_t from) const {
  if (kind_ == Kind::kNone) return text.size();
  for (size_t at = from == 0 ? 1 : from; at < text.size(); ++at)
    if (is_border(text, at)) return at;
  return text.size();
}

size_t longest_run(std::string_view text) {
  size_t longest = 0;
  size_t run = 0;
  size_t beyond = 0;  // bytes of kBeyond at the end of the run, which may also begin the next one
  Kind current = kSpace;
  for (size_t i = 0; i < text.size();) {
    const Kind kind = kind_at(text.substr(i));
    const size_t begin = i;
    i += utf8::character_length(text, i);
    const bool joins = kind == current || (current == kBeyond && kind != kSpace) ||
                       (kind == kBeyond && current != kSpace);
    if (!joins) run = kind == kSpace || kind == kBeyond ? 0 : beyond;
    beyond = kind == kBeyond ? beyond + (i - begin) : 0;
    if (kind != kBeyond || !joins) current = kind;
    run += i - begin;
    longest = std::max(longest, run);
  }
  return longest;
}

}  // namespace cria
