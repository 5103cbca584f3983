// The text of a generation: the same however its bytes are cut, whole characters only, and never
// any of a stop string.
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/text_stream.h"
#include "core/model/utf8.h"
#include "property.h"

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Read {
  std::string text;
  std::optional<std::string> stop;
};

Read read(const std::vector<std::string>& stops, std::string_view bytes,
          const std::vector<size_t>& cuts) {
  cria::TextStream stream(stops);
  Read result;
  const auto push = [&](std::string_view piece) {
    const bool over = stream.stopped_by().has_value();
    const std::string text = stream.push(piece);
    DEMAND(cria::utf8::repair(text) == text);
    DEMAND(!over || text.empty());
    result.text += text;
  };
  for (const size_t cut : cuts) {
    const size_t length = std::min(cut, bytes.size());
    push(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  push(bytes);
  result.text += stream.finish();
  result.stop = stream.stopped_by();
  return result;
}

// Of all that occur the one that ends first, of those the longest: where it begins.
std::optional<size_t> first_stop(const std::vector<std::string>& stops, std::string_view bytes) {
  for (size_t end = 1; end <= bytes.size(); ++end) {
    std::optional<size_t> begin;
    for (const std::string& stop : stops) {
      if (stop.size() > end || bytes.substr(end - stop.size(), stop.size()) != stop) continue;
      begin = std::min(begin.value_or(end), end - stop.size());
    }
    if (begin) return begin;
  }
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  std::vector<std::string> stops;
  for (int count = input.ConsumeIntegralInRange(0, 4); count > 0; --count) {
    std::string stop = cria::utf8::repair(input.ConsumeRandomLengthString(12));
    if (!stop.empty()) stops.push_back(std::move(stop));
  }
  std::vector<size_t> cuts;
  for (int count = input.ConsumeIntegralInRange(0, 12); count > 0; --count)
    cuts.push_back(input.ConsumeIntegralInRange<size_t>(0, 8));
  const std::string bytes = input.ConsumeRemainingBytesAsString();

  const Read whole = read(stops, bytes, {});
  const std::optional<size_t> begin = first_stop(stops, bytes);
  DEMAND(whole.text ==
         cria::utf8::repair(std::string_view(bytes).substr(0, begin.value_or(bytes.size()))));
  DEMAND(whole.stop.has_value() == begin.has_value());
  for (const std::string& stop : stops) {
    // What U+FFFD stands for in the output was something else before.
    const bool made = stop.find(kReplacement) != std::string::npos;
    DEMAND(made || whole.text.find(stop) == std::string::npos);
  }

  for (const auto& cutting : {cuts, std::vector<size_t>(bytes.size(), 1)}) {
    const Read cut = read(stops, bytes, cutting);
    DEMAND(cut.text == whole.text);
    DEMAND(cut.stop == whole.stop);
  }
  return 0;
}
