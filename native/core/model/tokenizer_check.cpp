#include <cmath>
#include <unordered_set>

#include "core/error.h"
#include "model_check.h"

namespace cria {

namespace {

constexpr uint64_t kMostTokens = uint64_t{1} << 22;
// llama.cpp's enum llama_token_type.
constexpr double kTokenTypes = 6;

[[noreturn]] void refuse(const std::string& key, const std::string& expected,
                         const std::string& found) {
  throw Error(code::kModelInvalid,
              "expected \"" + key + "\" to be " + expected + ", found " + found);
}

const GgufValue* list_of(const Metadata& metadata, const std::string& key, bool of_text) {
  const GgufValue* value = metadata.file().find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array() || (value->element == GgufType::kString) != of_text) {
    refuse(key, of_text ? "a list of texts" : "a list of numbers",
           value->is_array() ? std::string("a list of ") + name_of(value->element)
                             : name_of(value->type));
  }
  return value;
}

// llama.cpp keeps tokens by their texts, and asserts that this loses none.
void check_tokens(const Metadata& metadata, const std::string& key, const GgufValue& tokens) {
  if (tokens.count > kMostTokens) {
    refuse(key, "at most " + std::to_string(kMostTokens) + " tokens", std::to_string(tokens.count));
  }
  std::unordered_set<std::string> texts;
  texts.reserve(static_cast<size_t>(tokens.count));
  metadata.file().each_text(tokens, [&](const std::string& text) {
    // What llama.cpp makes of a token without a text.
    const std::string own = text.empty() ? "[EMPTY_" + std::to_string(texts.size()) + "]" : text;
    if (texts.insert(own).second) return;
    refuse(key, "a list without doubles",
           "token " + std::to_string(texts.size()) + " with the text of an earlier one");
  });
}

void check_numbers(const Metadata& metadata, const char* key, uint64_t tokens, double least,
                   double most) {
  const GgufValue* list = list_of(metadata, key, false);
  if (list == nullptr) return;
  if (list->count < tokens) {
    refuse(key, "a list of " + std::to_string(tokens) + ", one for each token",
           std::to_string(list->count));
  }
  for (const double value : metadata.file().numbers(*list)) {
    if (value >= least && value <= most) continue;
    refuse(key, "numbers from " + std::to_string(least) + " to " + std::to_string(most),
           std::to_string(value));
  }
}

}  // namespace

void check_tokenizer(const Metadata& metadata) {
  const std::string key = "tokenizer.ggml.tokens";
  list_of(metadata, "tokenizer.ggml.merges", true);
  list_of(metadata, "tokenizer.ggml.suppress_tokens", false);
  const GgufValue* tokens = list_of(metadata, key, true);
  if (tokens == nullptr) return;
  check_tokens(metadata, key, *tokens);
  check_numbers(metadata, "tokenizer.ggml.scores", tokens->count, -HUGE_VAL, HUGE_VAL);
  check_numbers(metadata, "tokenizer.ggml.token_type", tokens->count, 0, kTokenTypes);
}

}  // namespace cria
