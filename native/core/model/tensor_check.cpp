#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "core/model/cpu_level.h"
#include "core/model/error.h"
#include "core/model/model_check.h"

namespace cria {

namespace {

// Weights that are added, multiplied element by element, or used by an operation that reads floats
// whatever their type (the table of operations in src/llama-arch.cpp), with names that contain no
// "norm" and end in ".weight". Matrices are left out if a converter may write 16 bits and the graph
// widens them.
constexpr std::string_view kAlwaysFloat[] = {
    "token_types", "rope_freqs",     "rope_factors_long", "rope_factors_short", "attn_sinks",
    "ssm_conv1d",  "ssm_conv1d_q",   "ssm_conv1d_k",      "ssm_conv1d_v",       "ssm_a",
    "ssm_d",       "shortconv.conv", "time_mix_first",
};
constexpr std::string_view kFloatVectors[] = {
    "hrm.z_l_init",       "output_hc_base",     "output_hc_scale",    "hc_attn_base",
    "hc_attn_scale",      "hc_ffn_base",        "hc_ffn_scale",       "ffn.act",
    "attn_res_score",     "ffn_res_score",      "output_res_score",   "time_mix_lerp_x",
    "time_mix_ln",        "channel_mix_lerp_k", "channel_mix_lerp_r", "time_mix_k_k",
    "time_mix_k_a",       "time_mix_r_k",       "time_mix_lerp_w",    "time_mix_lerp_k",
    "time_mix_lerp_v",    "time_mix_lerp_r",    "time_mix_lerp_g",    "time_mix_lerp_fused",
    "time_mix_decay",     "time_mix_w0",        "time_mix_a0",        "time_mix_v0",
    "layer_output_scale", "exp_probs_b",        "exp_probs_b_vl",     "altup_correct_scale",
    "attn_conv_base",     "ffn_conv_base",
};

// Tables of ids, not weights.
struct Whole {
  std::string_view name;
  ggml_type type;
};
constexpr Whole kWhole[] = {
    {"d2t", GGML_TYPE_I64},
    {"ffn_gate_tid2eid", GGML_TYPE_I32},
};
// llama.cpp ignores it.
constexpr std::string_view kUnused = "masked_embd_ordering";

// Tensors that llama.cpp loads a model without, although its graph needs them in every layer that
// has `beside`.
struct Needed {
  std::string_view architecture;
  std::string_view name;
  std::string_view beside;
};
constexpr Needed kNeeded[] = {
    {"t5", "enc.blk.0.attn_rel_b.weight", "token_embd.weight"},
    {"t5", "dec.blk.0.attn_rel_b.weight", "token_embd.weight"},
    {"t5encoder", "enc.blk.0.attn_rel_b.weight", "token_embd.weight"},
    {"falcon-h1", "ssm_conv1d.bias", "ssm_conv1d.weight"},
    {"granitehybrid", "ssm_conv1d.bias", "ssm_conv1d.weight"},
    {"nemotron_h", "ssm_conv1d.bias", "ssm_conv1d.weight"},
    {"nemotron_h_moe", "ssm_conv1d.bias", "ssm_conv1d.weight"},
    {"glm-dsa", "blk.0.indexer.proj.weight", "token_embd.weight"},
    {"glm-dsa", "indexer.attn_k.weight", "indexer.proj.weight"},
    {"glm-dsa", "indexer.attn_q_b.weight", "indexer.attn_k.weight"},
    {"glm-dsa", "indexer.proj.weight", "indexer.attn_q_b.weight"},
};

template <typename List>
bool holds(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// "attn_q" of "blk.7.attn_q.weight", and "weight".
struct Parts {
  std::string_view base;
  std::string_view suffix;
};

Parts parts_of(std::string_view name) {
  for (const std::string_view half : {"enc.", "dec."})
    if (name.substr(0, half.size()) == half) name.remove_prefix(half.size());
  if (name.substr(0, 4) == "blk.") {
    const size_t dot = name.find('.', 4);
    if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
  }
  for (const std::string_view suffix :
       {".weight", ".bias", ".scale", ".input_scale", ".lora_a", ".lora_b"}) {
    if (ends_with(name, suffix)) {
      return {name.substr(0, name.size() - suffix.size()), suffix.substr(1)};
    }
  }
  return {name, ""};
}

bool wants_floats(const GgufTensor& tensor, const Parts& parts) {
  if (parts.suffix == "lora_a" || parts.suffix == "lora_b") return false;
  if (parts.suffix != "weight") return true;
  if (parts.base.find("norm") != std::string_view::npos) return true;
  if (holds(kAlwaysFloat, parts.base)) return true;
  return tensor.is_vector() && holds(kFloatVectors, parts.base);
}

[[noreturn]] void refuse_missing(const std::string& name) {
  throw Error(code::kModelInvalid, "the tensor \"" + name + "\" is missing");
}

void check_needed(const Metadata& metadata, const std::vector<GgufTensor>& tensors) {
  std::unordered_set<std::string> names;
  for (const GgufTensor& tensor : tensors)
    names.insert(tensor.name);
  for (const Needed& needed : kNeeded) {
    if (needed.architecture != metadata.architecture()) continue;
    for (const GgufTensor& tensor : tensors) {
      if (!ends_with(tensor.name, needed.beside)) continue;
      std::string name = tensor.name.substr(0, tensor.name.size() - needed.beside.size());
      name += needed.name;
      if (names.count(name) == 0) refuse_missing(name);
    }
  }
  // The two halves of experts are two tensors or one.
  constexpr std::string_view kDown = "ffn_down_exps.weight";
  for (const GgufTensor& tensor : tensors) {
    if (!ends_with(tensor.name, kDown)) continue;
    const std::string layer = tensor.name.substr(0, tensor.name.size() - kDown.size());
    const std::string up = layer + "ffn_up_exps.weight";
    if (names.count(up) == 0 && names.count(layer + "ffn_gate_up_exps.weight") == 0) {
      refuse_missing(up);
    }
  }
}

[[noreturn]] void refuse(const GgufTensor& tensor, const std::string& expected) {
  throw Error(code::kModelInvalid, "expected the tensor \"" + tensor.name + "\" to have " +
                                       expected + ", found " +
                                       ggml_type_name(static_cast<ggml_type>(tensor.type)));
}

}  // namespace

bool can_be_multiplied(ggml_type type) {
  if (type == GGML_TYPE_F32) return true;
  return cpu_level().type_traits(type)->vec_dot != nullptr &&
         ggml_get_type_traits(type)->to_float != nullptr;
}

void check_tensors(const Metadata& metadata, const std::vector<GgufTensor>& tensors) {
  check_needed(metadata, tensors);
  for (const GgufTensor& tensor : tensors) {
    const auto type = static_cast<ggml_type>(tensor.type);
    const Parts parts = parts_of(tensor.name);
    if (parts.base == kUnused) continue;
    const auto* whole = std::find_if(std::begin(kWhole), std::end(kWhole),
                                     [&](const Whole& one) { return one.name == parts.base; });
    if (whole != std::end(kWhole)) {
      if (type != whole->type) {
        refuse(tensor, std::string("type ") + ggml_type_name(whole->type));
      }
    } else if (wants_floats(tensor, parts)) {
      if (type != GGML_TYPE_F32) refuse(tensor, "type f32, as it is not a matrix of weights");
    } else if (!can_be_multiplied(type)) {
      refuse(tensor, "a type that weights are multiplied in");
    }
  }
}

int64_t position_rows(const Metadata& metadata, const std::vector<GgufTensor>& tensors) {
  // In other architectures no graph reads it.
  for (const char* architecture : {"bert", "gpt2", "starcoder", "mpt"}) {
    if (metadata.architecture() != architecture) continue;
    for (const GgufTensor& tensor : tensors)
      if (tensor.name == "position_embd.weight") return tensor.shape[1];
  }
  return 0;
}

}  // namespace cria
