#include <array>
#include <cmath>
#include <unordered_set>

#include "core/model/model_check.h"

namespace cria {

namespace {

constexpr uint64_t kMostTokens = uint64_t{1} << 22;
// llama.cpp's enum llama_token_type.
constexpr double kTokenTypes = 6;

const GgufValue* list_of(const Metadata& metadata, const std::string& key, bool of_text) {
  const GgufValue* value = metadata.file().find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array() || (value->element == GgufType::kString) != of_text) {
    refuse_value(key, of_text ? "an array of strings" : "an array of numbers",
                 value->is_array() ? std::string("a list of ") + name_of(value->element)
                                   : name_of(value->type));
  }
  return value;
}

// llama.cpp has a map of tokens by their texts, and asserts that it loses none.
void check_tokens(const Metadata& metadata, const std::string& key, const GgufValue& tokens) {
  if (tokens.count > kMostTokens) {
    refuse_value(key, "at most " + std::to_string(kMostTokens) + " tokens",
                 std::to_string(tokens.count));
  }
  std::unordered_set<std::string> texts;
  texts.reserve(static_cast<size_t>(tokens.count));
  metadata.file().each_text(tokens, [&](const std::string& text) {
    // The text that llama.cpp gives a token without one.
    const std::string own = text.empty() ? "[EMPTY_" + std::to_string(texts.size()) + "]" : text;
    if (texts.insert(own).second) return;
    refuse_value(key, "a list without duplicates",
                 "token " + std::to_string(texts.size()) + " with the text of an earlier one");
  });
}

// The first byte of an RWKV token, with its escapes resolved, and whether the token has no other
// byte. -1 if it has none.
struct FirstByte {
  int value = -1;
  bool alone = false;
};

FirstByte first_byte(const std::string& text) {
  if (text.empty()) return {};
  const auto byte = [&text](size_t at) { return static_cast<unsigned char>(text[at]); };
  if (text[0] != '\\') return {byte(0), text.size() == 1};
  if (text.size() < 2) return {};
  const bool alone = text.size() == 2;
  if (text[1] == 't') return {'\t', alone};
  if (text[1] == 'n') return {'\n', alone};
  if (text[1] == 'r') return {'\r', alone};
  if (text[1] != 'x') return {byte(1), alone};
  if (text.size() < 4) return {};
  const auto digit = [&byte](size_t at) {
    return byte(at) >= 'a' ? byte(at) - 'a' + 10 : byte(at) - '0';
  };
  return {((digit(2) << 4) + digit(3)) & 0xff, text.size() == 4};
}

// At a byte that begins longer tokens but is no token alone, llama.cpp goes back to the beginning
// of the text, for ever.
void check_rwkv(const Metadata& metadata, const std::string& key, const GgufValue& tokens) {
  std::array<bool, 256> begins{};
  std::array<bool, 256> alone{};
  metadata.file().each_text(tokens, [&](const std::string& text) {
    const FirstByte first = first_byte(text);
    if (first.value < 0) return;
    begins[static_cast<size_t>(first.value)] = true;
    if (first.alone) alone[static_cast<size_t>(first.value)] = true;
  });
  for (size_t value = 0; value < begins.size(); ++value) {
    if (!begins[value] || alone[value]) continue;
    refuse_value(key, "a list that has a token for every single byte that a token begins with",
                 "none for byte " + std::to_string(value));
  }
}

void check_numbers(const Metadata& metadata, const char* key, uint64_t tokens, double least,
                   double most) {
  const GgufValue* list = list_of(metadata, key, false);
  if (list == nullptr) return;
  if (list->count < tokens) {
    refuse_value(key, "a list of " + std::to_string(tokens) + ", one for each token",
                 std::to_string(list->count));
  }
  for (const double value : metadata.file().numbers(*list)) {
    if (value >= least && value <= most) continue;
    refuse_value(key, "numbers from " + std::to_string(least) + " to " + std::to_string(most),
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
  if (metadata.text("tokenizer.ggml.model") == "rwkv") check_rwkv(metadata, key, *tokens);
  check_numbers(metadata, "tokenizer.ggml.scores", tokens->count, -HUGE_VAL, HUGE_VAL);
  check_numbers(metadata, "tokenizer.ggml.token_type", tokens->count, 0, kTokenTypes);
}

}  // namespace cria
