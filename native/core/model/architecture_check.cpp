#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "core/model/error.h"
#include "core/model/model_check.h"

namespace cria {

namespace {

struct Unloadable {
  std::string_view architecture;
  std::string_view reason;
};

// Other programs make such files. llama.cpp would only call them unknown.
constexpr std::string_view kMllama =
    "it is a Llama 3.2 Vision model, whose layers of cross-attention llama.cpp cannot compute. "
    "Llama 3.1 8B has the same layers for text";
constexpr std::string_view kDeberta =
    "it is a DeBERTa classifier, as Prompt Guard is, and llama.cpp has no such encoder. Judge with "
    "a Llama Guard 3";
constexpr Unloadable kUnloadable[] = {
    {"mllama", kMllama},      {"deberta", kDeberta},   {"deberta-v2", kDeberta},
    {"deberta-v3", kDeberta}, {"debertav2", kDeberta}, {"deberta_v2", kDeberta},
};

[[noreturn]] void refuse(std::string_view reason) {
  throw Error(code::kUnsupported, std::string(reason));
}

}  // namespace

void check_architecture(const Metadata& metadata, bool vocab_only) {
  const auto* found = std::find_if(
      std::begin(kUnloadable), std::end(kUnloadable),
      [&](const Unloadable& one) { return one.architecture == metadata.architecture(); });
  if (found != std::end(kUnloadable)) refuse(found->reason);
  if (vocab_only || metadata.architecture() != "llama4") return;
  if (metadata.number(metadata.key("expert_count")).value_or(0) >= 1) return;
  refuse(
      "it is a Llama 4 without experts, as Llama Guard 4 is, and llama.cpp computes Llama 4 with "
      "experts alone. Judge with a Llama Guard 3");
}

}  // namespace cria
