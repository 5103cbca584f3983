#include "core/model/control_texts.h"

#include <algorithm>
#include <cctype>

#include "core/model/utf8.h"

namespace cria {

namespace {

// As <start_of_turn> or [INST], and not as "the" or "\n\n".
bool is_markup(const std::string& text) {
  if (text.size() < 3) return false;
  const char first = text.front();
  const char last = text.back();
  return (first == '<' && last == '>') || (first == '[' && last == ']');
}

bool is_space(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
}

// A user-defined token of one character cannot be told from its text: there is no other way to
// tokenize it.
bool is_one_character(const std::string& text) {
  return text.empty() || utf8::character_length(text, 0) == text.size();
}

}  // namespace

ControlTexts::ControlTexts(const Vocabulary& vocabulary, const std::string& source) {
  for (const auto& [text, token] : vocabulary.named()) {
    if (text.empty()) continue;
    const int attributes = llama_vocab_get_attr(vocabulary.handle(), token);
    const bool user_defined = (attributes & LLAMA_TOKEN_ATTR_USER_DEFINED) != 0;
    const bool in_source = source.find(text) != std::string::npos;
    if (user_defined && (is_space(text) || is_one_character(text))) continue;
    if (user_defined && !in_source && !is_markup(text)) continue;
    sorted_.push_back({text, token, user_defined, in_source,
                       (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0,
                       (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [](const ControlText& a, const ControlText& b) { return a.text < b.text; });
}

std::vector<const ControlText*> ControlTexts::at(std::string_view text, size_t position) const {
  std::vector<const ControlText*> found;
  auto first = sorted_.begin();
  auto last = sorted_.end();
  // From one byte to the next, what is left shares all of them.
  for (size_t length = 0; first != last && position + length < text.size(); ++length) {
    const auto wanted = static_cast<unsigned char>(text[position + length]);
    const auto byte_of = [length](const ControlText& control) {
      return control.text.size() > length ? static_cast<unsigned char>(control.text[length]) : -1;
    };
    first = std::partition_point(
        first, last, [&](const ControlText& control) { return byte_of(control) < wanted; });
    last = std::partition_point(
        first, last, [&](const ControlText& control) { return byte_of(control) == wanted; });
    if (first != last && first->text.size() == length + 1) found.push_back(&*first);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace cria
