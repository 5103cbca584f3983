// What wakes a lazy grammar: any pattern on any text, within the bounds that it promises. A text
// that grows is searched as it is in a generation, piece by piece.
#include <fuzzer/FuzzedDataProvider.h>

#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/sampling/trigger.h"
#include "property.h"

namespace {

constexpr size_t kLongestPattern = 48;
constexpr size_t kLongestText = 400;
constexpr size_t kStretched = 20;

void search(const cria::Trigger& trigger, const std::string& text, bool plain) {
  std::optional<size_t> before;
  for (size_t length = 0, searched = 0; length <= text.size() && !before; length += 5) {
    const std::string grown = text.substr(0, length);
    before = trigger.find(grown, searched);
    DEMAND(!before || *before <= length);
    // Of plain text it looks at what is new alone.
    if (plain) DEMAND(before == trigger.find(grown));
    searched = length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  std::vector<std::string> patterns;
  for (int count = input.ConsumeIntegralInRange(1, 3); count > 0; --count)
    patterns.push_back(input.ConsumeRandomLengthString(kLongestPattern));
  const bool stretch = input.ConsumeBool();
  std::string text = input.ConsumeBytesAsString(kLongestText);
  const bool plain =
      patterns.size() == 1 && patterns[0].find_first_of("^$.*+?()[]{}|\\") == std::string::npos;
  try {
    const cria::Trigger trigger(patterns);
    search(trigger, text, plain);
    for (size_t i = 0; stretch && i < kStretched; ++i)
      text += text.substr(0, kLongestText);
    if (stretch) trigger.find(text);  // on a stack of its own
  } catch (const cria::Error& error) {
    const std::string code = error.code();
    DEMAND(code == cria::code::kInvalidArgument || code == cria::code::kDecodeFailed);
  }
  return 0;
}
