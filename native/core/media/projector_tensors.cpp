#include <ggml.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "core/media/projector_check.h"
#include "core/model/cpu_level.h"
#include "core/model/error.h"

namespace cria {

namespace {

using Names = std::unordered_set<std::string>;

// How a layer asks for its input.
enum class Attention {
  kAny,       // in one matrix or in three
  kApart,     // in three
  kBiased,    // in three, with biases
  kTogether,  // in one, with a bias
};

// Tensors that mtmd loads a projector without, although its graph reads them (tools/mtmd/models/
// and clip.cpp). Kinds that are not here have not been looked at.
struct Kind {
  std::string_view name;
  Attention attention;
  std::string_view needed[3] = {};  // without their ".weight"
};
constexpr std::string_view kPatches = "v.patch_embd";
constexpr std::string_view kSecondPatches = "v.patch_embd.weight.1";
constexpr std::string_view kPlaces = "v.position_embd";
constexpr std::string_view kTimes = "a.position_embd";
constexpr Kind kSeeing[] = {
    {"mlp", Attention::kApart, {kPatches, kPlaces}},
    {"ldp", Attention::kApart, {kPatches, kPlaces}},
    {"ldpv2", Attention::kApart, {kPatches, kPlaces}},
    {"adapter", Attention::kApart, {kPatches, kPlaces}},
    {"resampler", Attention::kAny, {kPatches, kPlaces}},
    {"gemma3", Attention::kAny, {kPatches}},
    {"gemma4v", Attention::kAny, {kPatches, kPlaces}},
    {"idefics3", Attention::kAny, {kPatches}},
    {"lfm2", Attention::kAny, {kPatches, kPlaces}},
    {"janus_pro", Attention::kAny, {kPatches}},
    {"phi4", Attention::kAny, {kPatches, kPlaces}},
    {"pixtral", Attention::kAny, {kPatches}},
    {"lightonocr", Attention::kAny, {kPatches}},
    {"internvl", Attention::kAny, {kPatches, kPlaces, "v.class_embd"}},
    {"llama4", Attention::kAny, {kPatches, kPlaces, "v.class_embd"}},
    {"kimivl", Attention::kAny, {kPatches, kPlaces}},
    {"cogvlm", Attention::kTogether, {kPatches, kPlaces, "v.class_embd"}},
    {"qwen2vl_merger", Attention::kBiased, {kPatches, kSecondPatches}},
    {"qwen2.5vl_merger", Attention::kBiased, {kPatches, kSecondPatches}},
    {"qwen2.5o", Attention::kBiased, {kPatches, kSecondPatches}},
    {"qwen3vl_merger", Attention::kTogether, {kPatches, kSecondPatches, kPlaces}},
};
constexpr Kind kHearing[] = {
    {"ultravox", Attention::kAny, {kTimes}}, {"voxtral", Attention::kAny, {kTimes}},
    {"qwen2a", Attention::kAny, {kTimes}},   {"qwen2.5o", Attention::kAny, {kTimes}},
    {"qwen3a", Attention::kAny, {kTimes}},   {"glma", Attention::kAny, {kTimes}},
    {"meralion", Attention::kAny, {kTimes}}, {"musicflamingo", Attention::kAny, {kTimes}},
};

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool has(const Names& names, std::string_view name) {
  return names.count(std::string(name)) + names.count(std::string(name) + ".weight") > 0;
}

void expect(const Names& names, const std::string& name) {
  if (has(names, name)) return;
  throw Error(code::kModelInvalid, "the tensor \"" + name + "\" is missing");
}

void check_attention(const Names& names, const std::string& block, Attention attention) {
  const bool together = attention == Attention::kTogether ||
                        (attention == Attention::kAny && has(names, block + "attn_qkv"));
  if (together) {
    expect(names, block + "attn_qkv.weight");
    if (attention == Attention::kTogether) expect(names, block + "attn_qkv.bias");
    return;
  }
  for (const char* part : {"attn_q", "attn_k", "attn_v"}) {
    expect(names, block + part + ".weight");
    if (attention == Attention::kBiased) expect(names, block + part + ".bias");
  }
}

// LLaVA's two matrices, or Yi's with norms between them.
void check_llava(const Names& names) {
  const bool normed = has(names, "mm.3");
  for (const char* part : {"mm.0", "mm.1", "mm.2", "mm.3", "mm.4"}) {
    const bool own = std::string_view(part) == "mm.0" || std::string_view(part) == "mm.2";
    if (!normed && !own) continue;
    if (normed && std::string_view(part) == "mm.2") continue;
    expect(names, std::string(part) + ".weight");
    expect(names, std::string(part) + ".bias");
  }
}

template <typename Kinds>
void check_modality(const Kinds& kinds, const ProjectorPart& part, const Names& names) {
  const auto* kind = std::find_if(std::begin(kinds), std::end(kinds),
                                  [&](const Kind& one) { return one.name == part.kind; });
  if (kind == std::end(kinds)) {
    throw Error(code::kUnsupported, "projectors of the kind \"" + part.kind +
                                        "\" are not known to be safe to load, so none is loaded");
  }
  for (const std::string_view name : kind->needed)
    if (!name.empty()) expect(names, std::string(name));
  for (int64_t layer = 0; layer < part.layers; ++layer) {
    const std::string block = part.prefix + ".blk." + std::to_string(layer) + ".";
    check_attention(names, block, kind->attention);
  }
  if (part.kind == "mlp") check_llava(names);
  if (has(names, "mm.patch_merger") && (part.kind == "pixtral" || part.kind == "lightonocr")) {
    expect(names, "mm.input_norm.weight");
  }
}

// What is no matrix is added or multiplied element by element, which ggml does with floats only.
void check_type(const GgufTensor& tensor) {
  const auto type = static_cast<ggml_type>(tensor.type);
  const bool wants_float = tensor.is_vector() || ends_with(tensor.name, ".bias") ||
                           tensor.name.find("norm") != std::string::npos ||
                           tensor.name.find(".ln") != std::string::npos;
  const bool multiplied =
      type == GGML_TYPE_F32 || (cpu_level().type_traits(type)->vec_dot != nullptr &&
                                ggml_get_type_traits(type)->to_float != nullptr);
  if (wants_float ? type == GGML_TYPE_F32 : multiplied) return;
  throw Error(code::kModelInvalid, "expected the tensor \"" + tensor.name + "\" to have " +
                                       (wants_float ? "type f32, as it is not a matrix of weights"
                                                    : "a type that weights are multiplied in") +
                                       ", found " + ggml_type_name(type));
}

}  // namespace

void check_projector_tensors(const std::vector<ProjectorPart>& parts,
                             const std::vector<GgufTensor>& tensors) {
  Names names;
  for (const GgufTensor& tensor : tensors) {
    check_type(tensor);
    names.insert(tensor.name);
  }
  for (const ProjectorPart& part : parts) {
    if (part.prefix == "v") {
      check_modality(kSeeing, part, names);
    } else {
      check_modality(kHearing, part, names);
    }
  }
}

}  // namespace cria
