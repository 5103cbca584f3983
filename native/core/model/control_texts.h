// The texts that mean more than text in the prompts of one template: those of control tokens, and
// those of user-defined tokens that the template may frame its messages with. User-defined tokens
// that are words, white space and the like are left out: for the model they are text.
#pragma once

#include <llama.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/model/vocabulary.h"

namespace cria {

struct ControlText {
  std::string text;
  llama_token token;
  bool user_defined;  // matched in plain text, too
  bool in_source;     // the template's source spells it
  bool strips_left;   // swallows the white space beside it
  bool strips_right;
};

class ControlTexts {
 public:
  ControlTexts(const Vocabulary& vocabulary, const std::string& source);

  // Those that `text` spells at `position`, the longest first.
  std::vector<const ControlText*> at(std::string_view text, size_t position) const;

 private:
  std::vector<ControlText> sorted_;  // by text
};

}  // namespace cria
