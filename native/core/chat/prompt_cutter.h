// Cuts a template's output into the segments of a prompt: control tokens, and the text between
// them. Only what the template itself wrote can become a control token.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/chat/placeholders.h"
#include "core/model/control_texts.h"
#include "core/model/vocabulary.h"

namespace cria {

// `input`: the text comes from the request, not from the template.
struct RenderedPart {
  bool input;
  std::string text;
};

struct ControlSegment {
  std::string text;
};

// A text, a control token, or the tokens of a text that cannot be given as text.
using PromptSegment = std::variant<std::string, ControlSegment, Tokens>;

// Begins with a BOS if the model wants one and the template wrote none.
std::vector<PromptSegment> cut_prompt(const Vocabulary& vocabulary, const ControlTexts& controls,
                                      const Placeholders& placeholders,
                                      const std::vector<RenderedPart>& parts);

}  // namespace cria
