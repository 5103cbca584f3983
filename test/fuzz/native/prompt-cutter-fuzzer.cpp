// Prompts of templates: whatever a user's text spells, it comes back as it was, and no control
// token is made of it. On the demo model's vocabulary ($CRIA_TEST_MODEL).
#include <fuzzer/FuzzedDataProvider.h>

#include <string>
#include <variant>
#include <vector>

#include "core/chat/placeholders.h"
#include "core/chat/prompt_cutter.h"
#include "core/model/control_texts.h"
#include "demo_vocabulary.h"
#include "property.h"

namespace {

// Any bytes, with the texts of control tokens and their halves among them.
std::string text_of(FuzzedDataProvider& input, const std::vector<std::string>& controls) {
  std::string text;
  for (int pieces = input.ConsumeIntegralInRange(0, 6); pieces > 0; --pieces) {
    if (controls.empty() || input.ConsumeBool()) {
      text += input.ConsumeRandomLengthString(16);
    } else {
      const std::string& control =
          controls[input.ConsumeIntegralInRange<size_t>(0, controls.size() - 1)];
      text += control.substr(0, input.ConsumeIntegralInRange<size_t>(1, control.size()));
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const cria::Vocabulary& vocabulary = fuzz::demo_vocabulary();
  static const cria::ControlTexts controls(vocabulary, "<|start_header_id|><|eot_id|>");
  static const std::vector<std::string> spelled = [] {
    std::vector<std::string> texts;
    for (const auto& [text, token] : vocabulary.named())
      texts.push_back(text);
    return texts;
  }();

  FuzzedDataProvider input(data, size);
  cria::Placeholders placeholders(controls);
  std::string all;
  size_t written = 0;
  std::vector<cria::RenderedPart> parts;
  for (int count = input.ConsumeIntegralInRange(0, 5); count > 0; --count) {
    const bool users = input.ConsumeBool();
    const std::string text = text_of(input, spelled);
    const std::string hidden = users ? placeholders.hide(text) : text;
    DEMAND(placeholders.restore(hidden) == text);
    for (size_t at = 0; users && at < hidden.size(); ++at)
      DEMAND(controls.at(hidden, at).empty());
    if (!users) {
      for (size_t at = 0; at < text.size(); ++at)
        written += controls.at(text, at).size();
    }
    all += text;
    parts.push_back({users, hidden});
  }

  std::string cut;
  size_t segments = 0;
  for (const cria::PromptSegment& segment :
       cria::cut_prompt(vocabulary, controls, placeholders, parts)) {
    if (const auto* control = std::get_if<cria::ControlSegment>(&segment)) {
      cut += control->text;
      ++segments;
    } else if (const auto* text = std::get_if<std::string>(&segment)) {
      cut += *text;
    } else {
      return 0;  // token ids, which have lost the text's bytes
    }
  }
  // Nothing is lost, nothing is added but the BOS, and nothing of a user's is a control token.
  const std::string bos = vocabulary.detokenize({vocabulary.bos()}, true);
  const bool added = cut.size() == all.size() + bos.size();
  DEMAND(cut == (added ? bos + all : all));
  // Texts of the template's may meet to spell one more.
  DEMAND(segments <= written + parts.size() + (added ? 1 : 0));
  return 0;
}
