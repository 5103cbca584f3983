#include "core/adapters/lora_check.h"

#include <ggml.h>

#include <cmath>
#include <unordered_map>

#include "core/model/error.h"
#include "core/model/model_check.h"

namespace cria {

namespace {

constexpr const char* kEmbedding = "token_embd.weight";

bool take_suffix(std::string& name, const std::string& suffix) {
  if (name.size() < suffix.size()) return false;
  if (name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) return false;
  name.resize(name.size() - suffix.size());
  return true;
}

[[noreturn]] void refuse_tensor(const std::string& name, const std::string& why) {
  throw Error(code::kModelInvalid, "the tensor \"" + name + "\" " + why);
}

std::string shape_text(const TensorShape& shape) {
  std::string text;
  size_t last = shape.size() - 1;
  while (last > 0 && shape[last] == 1)
    --last;
  for (size_t i = 0; i <= last; ++i)
    text += (i == 0 ? "" : " × ") + std::to_string(shape[i]);
  return text;
}

// llama.cpp asserts that such a value is text.
void expect_text(const GgufFile& header, const std::string& key, const std::string& expected) {
  const GgufValue* value = header.find(key);
  if (value == nullptr) refuse_value(key, "\"" + expected + "\"", "none");
  const auto* text = std::get_if<std::string>(&value->scalar);
  if (value->type != GgufType::kString || text == nullptr) {
    refuse_value(key, "\"" + expected + "\"", std::string("a ") + name_of(value->type));
  }
  if (*text != expected) refuse_value(key, "\"" + expected + "\"", "\"" + *text + "\"");
}

void check_alpha(const GgufFile& header) {
  constexpr const char* kKey = "adapter.lora.alpha";
  const GgufValue* value = header.find(kKey);
  if (value == nullptr) return;  // the scale alone counts then
  const auto* alpha = std::get_if<double>(&value->scalar);
  if (value->type != GgufType::kFloat32 || alpha == nullptr || !std::isfinite(*alpha)) {
    refuse_value(kKey, "a finite f32",
                 value->type == GgufType::kFloat32 ? "another number" : name_of(value->type));
  }
}

void check_invocation(const GgufFile& header, const Vocabulary& vocabulary) {
  constexpr const char* kKey = "adapter.alora.invocation_tokens";
  const GgufValue* value = header.find(kKey);
  if (value == nullptr) return;
  if (!value->is_array() || value->element != GgufType::kUint32) {
    refuse_value(kKey, "a list of u32", name_of(value->type));
  }
  for (const double token : header.numbers(*value)) {
    if (token < vocabulary.size()) continue;
    refuse_value(kKey, "ids of the model's " + std::to_string(vocabulary.size()) + " tokens",
                 std::to_string(static_cast<int64_t>(token)));
  }
}

struct Pair {
  const GgufTensor* a = nullptr;
  const GgufTensor* b = nullptr;
};

// The change is b × a, of the shape of the weight; of the token embeddings a is transposed.
void check_pair(const std::string& name, const Pair& pair, const TensorShape& weight) {
  const auto [a, b] = pair;
  const bool embedding = name == kEmbedding;
  const int64_t rank = b->shape[0];
  const TensorShape expected_a = embedding ? TensorShape{rank, weight[1], 1, 1}
                                           : TensorShape{weight[0], rank, weight[2], weight[3]};
  const TensorShape expected_b = embedding ? TensorShape{rank, weight[0], 1, 1}
                                           : TensorShape{rank, weight[1], weight[2], weight[3]};
  for (const auto& [tensor, expected] : {std::pair(a, expected_a), std::pair(b, expected_b)}) {
    if (tensor->shape == expected) continue;
    refuse_tensor(tensor->name, "is " + shape_text(tensor->shape) + ", expected " +
                                    shape_text(expected) + " for this model's \"" + name + "\"");
  }
}

void check_pairs(const std::vector<GgufTensor>& tensors, const Model& model) {
  std::unordered_map<std::string, Pair> pairs;
  for (const GgufTensor& tensor : tensors) {
    std::string name = tensor.name;
    if (take_suffix(name, ".lora_a")) {
      pairs[name].a = &tensor;
    } else if (take_suffix(name, ".lora_b")) {
      pairs[name].b = &tensor;
    } else if (!take_suffix(name, "_norm.weight")) {  // which llama.cpp leaves out
      refuse_tensor(tensor.name,
                    "belongs to no LoRA: expected names that end in .lora_a or .lora_b");
    } else {
      continue;
    }
    const auto type = static_cast<ggml_type>(tensor.type);
    if (can_be_multiplied(type)) continue;
    refuse_tensor(tensor.name,
                  std::string("has a type that is not multiplied: ") + ggml_type_name(type));
  }
  if (pairs.empty()) throw Error(code::kModelInvalid, "it changes no weight");
  for (const auto& [name, pair] : pairs) {
    if (pair.a == nullptr || pair.b == nullptr) {
      refuse_tensor(name, std::string("has no .lora_") + (pair.a == nullptr ? "a" : "b"));
    }
    const TensorShape* weight = model.tensor_shape(name);
    if (weight == nullptr) {
      refuse_tensor(pair.a->name, "changes a weight that this model has not");
    }
    check_pair(name, pair, *weight);
  }
  // llama.cpp would multiply by them there as if they were not transposed.
  if (pairs.count(kEmbedding) > 0 && model.tensor_shape("output.weight") == nullptr) {
    throw Error(
        code::kUnsupported,
        "it changes the token embeddings of a model whose output layer they are, too, which "
        "llama.cpp cannot do");
  }
}

}  // namespace

void check_lora(const std::string& path, const ModelFiles& files, const Model& model) {
  try {
    if (files.paths().size() > 1) throw Error(code::kUnsupported, "it is split into several files");
    const GgufFile& header = files.header();
    expect_text(header, "general.type", "adapter");
    expect_text(header, "adapter.type", "lora");
    expect_text(header, "general.architecture", model.metadata("general.architecture"));
    check_alpha(header);
    check_invocation(header, model.vocabulary());
    check_pairs(files.tensors(), model);
  } catch (const Error& error) {
    if (error.what()[0] == '"') throw;
    throw Error(error.code(),
                "\"" + path + "\" is not a LoRA adapter for this model: " + error.what() + ".");
  }
}

}  // namespace cria
