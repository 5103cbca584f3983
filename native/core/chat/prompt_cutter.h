// From what a template has written to the segments of a prompt: control tokens by their texts, and
// the text between them. Only what the template itself wrote can be a control token.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/chat/placeholders.h"
#include "core/model/control_texts.h"
#include "core/model/vocabulary.h"

namespace cria {

// `input`: it came with the request, and is not of the template.
struct RenderedPart {
  bool input;
  std::string text;
};

struct ControlSegment {
  std::string text;
};

// A text, a control token, or a text as its tokens where there is no other way to say it.
using PromptSegment = std::variant<std::string, ControlSegment, Tokens>;

// With the BOS in front where the model wants one and the template wrote none.
std::vector<PromptSegment> cut_prompt(const Vocabulary& vocabulary, const ControlTexts& controls,
                                      const Placeholders& placeholders,
                                      const std::vector<RenderedPart>& parts);

}  // namespace cria
