#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <sstream>
#include <string_view>

#include "core/model/model_check.h"

namespace cria {

namespace {

// llama.cpp's own limits (src/llama-hparams.h).
constexpr double kLayers = 512;
constexpr double kExperts = 1024;

// Far more than any model has, and far below the point where products of two or three overflow.
constexpr double kWidth = 1 << 20;
constexpr double kHeads = 1 << 16;
constexpr double kFeedForward = 1 << 24;
constexpr double kVocabulary = 1 << 22;
constexpr double kCount = std::numeric_limits<int32_t>::max();
constexpr double kLoops = 1024;  // of a graph's building

constexpr double kAny = std::numeric_limits<float>::max();
// Its inverse is finite, too.
constexpr double kSmallest = 1e-9;

struct Bounds {
  const char* name;
  double least;
  double most;
};

// Whole numbers, or lists with one for each layer. llama_model_save_to_file writes 0 for everything
// that a model does not have.
constexpr Bounds kWhole[] = {
    {"block_count", 1, kLayers},
    {"decoder_block_count", 0, kLayers},
    {"nextn_predict_layers", 0, kLayers},
    {"leading_dense_block_count", 0, kCount},
    {"target_layers", 0, kLayers},
    {"target_hidden_size", 1, kWidth},
    {"n_deepstack_layers", 0, kLayers},
    {"posnet.block_count", 0, kLayers},
    {"convnext.block_count", 0, kLayers},
    {"context_length", 1, kCount},
    {"rope.scaling.original_context_length", 0, kCount},
    {"vocab_size", 0, kVocabulary},
    {"embedding_length", 1, kWidth},
    {"embedding_length_out", 0, kWidth},
    {"embedding_length_per_layer_input", 0, kWidth},
    {"features_length", 0, kWidth},
    {"posnet.embedding_length", 0, kWidth},
    {"convnext.embedding_length", 0, kWidth},
    {"feed_forward_length", 0, kFeedForward},
    {"expert_feed_forward_length", 0, kFeedForward},
    {"expert_shared_feed_forward_length", 0, kFeedForward},
    {"expert_chunk_feed_forward_length", 0, kFeedForward},
    {"expert_count", 0, kExperts},
    {"expert_used_count", 0, kExperts},
    {"expert_shared_count", 0, kExperts},
    {"expert_group_count", 0, kExperts},
    {"expert_group_used_count", 0, kExperts},
    {"experts_per_group", 0, kExperts},
    {"moe_every_n_layers", 0, kCount},
    {"full_attention_interval", 0, kCount},
    {"attention.head_count", 0, kHeads},
    {"attention.head_count_kv", 0, kHeads},
    {"attention.key_length", 0, kHeads},
    {"attention.value_length", 0, kHeads},
    {"attention.key_length_swa", 0, kHeads},
    {"attention.value_length_swa", 0, kHeads},
    {"attention.key_length_mla", 0, kHeads},
    {"attention.value_length_mla", 0, kHeads},
    {"attention.sliding_window", 0, kCount},
    {"attention.relative_buckets_count", 0, kHeads},
    {"attention.group_norm_groups", 0, kWidth},
    {"attention.output_group_count", 0, kHeads},
    {"attention.temperature_length", 0, kCount},
    {"attention.indexer.head_count", 0, kHeads},
    {"attention.indexer.key_length", 0, kHeads},
    {"attention.indexer.top_k", 0, kCount},
    {"attention.indexer.block_size", 0, kCount},
    {"rope.dimension_count", 0, kHeads},
    {"rope.dimension_count_swa", 0, kHeads},
    {"rope.dimension_sections", 0, kHeads},
    {"ssm.conv_kernel", 0, kHeads},
    {"ssm.inner_size", 0, kWidth},
    {"ssm.state_size", 0, kWidth},
    {"ssm.time_step_rank", 0, kWidth},
    {"ssm.group_count", 0, kWidth},
    {"kda.head_dim", 0, kHeads},
    {"wkv.head_size", 0, kHeads},
    {"token_shift_count", 0, 16},
    {"time_mix_extra_dim", 0, kWidth},
    {"time_decay_extra_dim", 0, kWidth},
    {"shortconv.l_cache", 0, kHeads},
    {"num_loops", 0, kLoops},
    {"hrm.layers_per_stack", 0, kLoops},
    {"hrm.h_cycles", 0, kLoops},
    {"hrm.l_cycles", 0, kLoops},
    {"hyper_connection.count", 0, kLoops},
    {"hyper_connection.sinkhorn_iterations", 0, kLoops},
    {"block_size", 0, kCount},
    {"conv_kernel_size", 0, kHeads},
    {"conv_group_size", 0, kHeads},
    {"selector_top_k", 0, kCount},
};

// ggml asserts that an epsilon is not negative, since roots are taken of sums with it.
constexpr Bounds kReal[] = {
    {"attention.layer_norm_epsilon", 0, kAny},
    {"attention.layer_norm_rms_epsilon", 0, kAny},
    {"attention.group_norm_epsilon", 0, kAny},
    {"hyper_connection.epsilon", 0, kAny},
    {"attention.max_alibi_bias", 0, kAny},
    {"attention.clamp_kqv", 0, kAny},
    {"attn_logit_softcapping", 0, kAny},
    {"router_logit_softcapping", 0, kAny},
    {"final_logit_softcapping", 0, kAny},
    {"rope.freq_base", kSmallest, kAny},
    {"rope.freq_base_swa", 0, kAny},
    {"attention.compress_rope_freq_base", 0, kAny},
    {"rope.scaling.factor", 0, kAny},
    {"rope.scale_linear", 0, kAny},
    {"rope.scaling.attn_factor", 0, kAny},
    {"rope.scaling.alpha", 0, kAny},
    {"rope.scaling.yarn_log_multiplier", -kAny, kAny},
    {"rope.scaling.yarn_ext_factor", -kAny, kAny},
    {"rope.scaling.yarn_attn_factor", -kAny, kAny},
    {"rope.scaling.yarn_beta_fast", -kAny, kAny},
    {"rope.scaling.yarn_beta_slow", -kAny, kAny},
    {"attention.scale", -kAny, kAny},
    {"attention.output_scale", -kAny, kAny},
    {"attention.value_scale", -kAny, kAny},
    {"attention.temperature_scale", -kAny, kAny},
    {"logit_scale", -kAny, kAny},
    {"residual_scale", -kAny, kAny},
    {"embedding_scale", -kAny, kAny},
    {"expert_weights_scale", -kAny, kAny},
    {"expert_group_scale", -kAny, kAny},
};

// What an architecture divides by or counts with: must not be 0.
struct Divisor {
  std::string_view architecture;
  const char* name;
};
constexpr Divisor kDivisors[] = {
    {"grovemoe", "experts_per_group"},
    {"ernie4_5-moe", "interleave_moe_layer_step"},
    {"deepseek4", "attention.output_group_count"},
    {"dflash", "conv_group_size"},
    {"mamba", "ssm.time_step_rank"},
    {"mamba2", "ssm.time_step_rank"},
    {"mamba2", "ssm.group_count"},
    {"jamba", "ssm.time_step_rank"},
    {"plamo2", "ssm.time_step_rank"},
    {"falcon-h1", "ssm.time_step_rank"},
    {"falcon-h1", "ssm.group_count"},
    {"granitehybrid", "ssm.time_step_rank"},
    {"granitehybrid", "ssm.group_count"},
    {"nemotron_h", "ssm.time_step_rank"},
    {"nemotron_h", "ssm.group_count"},
    {"nemotron_h_moe", "ssm.time_step_rank"},
    {"nemotron_h_moe", "ssm.group_count"},
    {"rwkv6", "wkv.head_size"},
    {"rwkv6qwen2", "wkv.head_size"},
    {"rwkv7", "wkv.head_size"},
    {"arwkv7", "wkv.head_size"},
    {"t5", "attention.relative_buckets_count"},
    {"t5encoder", "attention.relative_buckets_count"},
};

// Architectures without attention in some or all of their layers (recurrent and hybrid ones, see
// src/llama-arch.cpp), or without layers of the usual kind.
constexpr std::string_view kHeadless[] = {
    "mamba",       "mamba2",      "rwkv6",      "rwkv6qwen2",     "rwkv7",
    "arwkv7",      "jamba",       "falcon-h1",  "plamo2",         "granitehybrid",
    "lfm2",        "lfm2moe",     "nemotron_h", "nemotron_h_moe", "qwen3next",
    "kimi-linear", "bailingmoe3", "kimi-k3",    "qwen35",         "qwen35moe",
    "qwen4exp",    "deepseek4",   "minimax-01", "deci",           "wavtokenizer-dec",
};

std::string shown(double value) {
  if (value == std::floor(value) && std::fabs(value) < 1e15) {
    return std::to_string(static_cast<int64_t>(value));
  }
  std::ostringstream text;
  text.precision(7);  // of 32 bits
  text << value;
  return text.str();
}

std::string range_of(const char* kind, const Bounds& bounds) {
  const std::string least = shown(bounds.least);
  if (bounds.least == -kAny) return "a finite number";
  if (bounds.most == kAny) return std::string(kind) + " of at least " + least;
  return std::string(kind) + " from " + least + " to " + shown(bounds.most);
}

class Check {
 public:
  explicit Check(const Metadata& metadata)
      : metadata_(metadata), layers_(number("block_count", 0)) {}

  void run() const {
    for (const Bounds& bounds : kWhole)
      check_whole(bounds);
    for (const Bounds& bounds : kReal)
      check_real(bounds);
    check_numbers();
    check_scales();
    check_layers();
    check_heads();
    check_rope();
    check_experts();
  }

 private:
  double number(const char* name, double otherwise) const {
    return metadata_.number(metadata_.key(name)).value_or(otherwise);
  }

  bool is(std::initializer_list<std::string_view> names) const {
    return std::find(names.begin(), names.end(), metadata_.architecture()) != names.end();
  }

  // llama.cpp reads signed 32-bit numbers as unsigned ones and the other way round.
  void check_whole(const Bounds& bounds) const {
    const std::string key = metadata_.key(bounds.name);
    for (const double value : metadata_.numbers(key)) {
      if (value >= bounds.least && value <= bounds.most && value == std::floor(value)) continue;
      refuse_value(key, range_of("a whole number", bounds), shown(value));
    }
  }

  void check_real(const Bounds& bounds) const {
    const std::string key = metadata_.key(bounds.name);
    for (const double value : metadata_.numbers(key)) {
      if (value >= bounds.least && value <= bounds.most) continue;
      refuse_value(key, range_of("a number", bounds), shown(value));
    }
  }

  // NaN passes every comparison with bounds, so it is looked for here, in keys without bounds, too.
  void check_numbers() const {
    const std::string prefix = metadata_.architecture() + ".";
    for (const std::string& key : metadata_.keys()) {
      if (key.rfind(prefix, 0) != 0 && key.rfind("xielu.", 0) != 0) continue;
      const GgufValue* value = metadata_.file().find(key);
      const GgufType type = value == nullptr    ? GgufType::kFloat32
                            : value->is_array() ? value->element
                                                : value->type;
      if (type != GgufType::kFloat32 && type != GgufType::kFloat64) continue;
      for (const double number : metadata_.numbers(key))
        if (std::isnan(number)) refuse_value(key, "a number", "NaN");
    }
  }

  // llama.cpp multiplies by 1 / value; 0 means none.
  void check_scales() const {
    for (const char* name : {"rope.scaling.factor", "rope.scale_linear"}) {
      const double value = number(name, 0);
      if (value == 0 || value >= kSmallest) continue;
      refuse_value(metadata_.key(name), "0 or at least " + shown(kSmallest), shown(value));
    }
  }

  void check_layers() const {
    if (number("nextn_predict_layers", 0) >= layers_ && layers_ > 0) {
      refuse_value(metadata_.key("nextn_predict_layers"), "less than \"block_count\"",
                   shown(number("nextn_predict_layers", 0)));
    }
    // Its graph always has a window, its cache only if this is set.
    if (is({"afmoe"}) && number("attention.sliding_window", 0) < 1) {
      refuse_value(metadata_.key("attention.sliding_window"), "at least 1", "0 or nothing");
    }
    // -1: unspecified.
    const double pooling = number("pooling_type", 0);
    if (pooling > 4 && pooling != std::numeric_limits<uint32_t>::max()) {
      refuse_value(metadata_.key("pooling_type"), "a whole number from 0 to 4", shown(pooling));
    }
    for (const Divisor& divisor : kDivisors) {
      if (divisor.architecture != metadata_.architecture()) continue;
      if (number(divisor.name, 1) >= 1) continue;
      refuse_value(metadata_.key(divisor.name), "at least 1", shown(number(divisor.name, 1)));
    }
  }

  double of_layer(const std::vector<double>& values, size_t layer, double otherwise) const {
    if (values.empty()) return otherwise;
    return values.size() == 1 ? values.front() : layer < values.size() ? values[layer] : otherwise;
  }

  void check_heads() const {
    const std::string key = metadata_.key("attention.head_count");
    const std::string key_kv = metadata_.key("attention.head_count_kv");
    const std::vector<double> heads = metadata_.numbers(key);
    const std::vector<double> shared = metadata_.numbers(key_kv);
    const bool headless =
        std::find(std::begin(kHeadless), std::end(kHeadless),
                  std::string_view(metadata_.architecture())) != std::end(kHeadless);
    if (!headless && of_layer(heads, 0, 0) < 1) {
      refuse_value(key, "at least 1", heads.empty() ? "nothing" : shown(heads.front()));
    }
    const double width = number("embedding_length", 0);
    for (size_t layer = 0; layer < static_cast<size_t>(layers_); ++layer) {
      const double all = of_layer(heads, layer, 0);
      const double kv = of_layer(shared, layer, all);
      if (all > width && number("attention.key_length", 0) == 0) {
        refuse_value(key, "at most \"embedding_length\" (" + shown(width) + ")", shown(all));
      }
      if (all == 0 || kv == 0 || std::fmod(all, kv) == 0) continue;
      refuse_value(key_kv, "a divisor of \"attention.head_count\" (" + shown(all) + ")", shown(kv));
    }
  }

  // ggml asserts that pairs of elements within a head are rotated.
  void check_rope() const {
    const auto check = [this](const char* name, const char* length, double otherwise) {
      const double own = number(length, 0);
      const double width = own > 0 ? own : otherwise;
      const double rotated = number(name, -1);
      if (rotated < 0) return;  // the whole head
      if (rotated == 0) refuse_value(metadata_.key(name), "at least 2", "0");
      if (std::fmod(rotated, 2) != 0) refuse_value(metadata_.key(name), "even", shown(rotated));
      if (width > 0 && rotated > width) {
        refuse_value(metadata_.key(name), "at most the width of a head (" + shown(width) + ")",
                     shown(rotated));
      }
    };
    const std::vector<double> heads = metadata_.numbers(metadata_.key("attention.head_count"));
    const double all = of_layer(heads, 0, 0);
    const double width = all > 0 ? std::floor(number("embedding_length", 0) / all) : 0;
    // Without heads nothing reads it. With 0 ggml's loop never ends.
    if (all > 0) check("rope.dimension_count", "attention.key_length", width);
    if (all > 0 && number("attention.sliding_window", 0) > 0) {
      check("rope.dimension_count_swa", "attention.key_length_swa",
            number("attention.key_length", width));
    }
    const std::string key = metadata_.key("rope.dimension_sections");
    const std::vector<double> sections = metadata_.numbers(key);
    if (sections.size() > 4)
      refuse_value(key, "at most 4 numbers", std::to_string(sections.size()));
  }

  // llama.cpp asserts all of this.
  void check_experts() const {
    const double experts = number("expert_count", 0);
    const std::string key = metadata_.key("expert_used_count");
    double used = 0;
    for (const double value : metadata_.numbers(key))
      used = std::max(used, value);
    if (is({"hunyuan_vl", "hunyuan-dense"}) && experts <= 1) return;
    if (used > experts || (experts > 0 && used < 1)) {
      refuse_value(key, "from 1 to \"expert_count\" (" + shown(experts) + ")", shown(used));
    }
    const double groups = number("expert_group_count", 0);
    const double used_groups = number("expert_group_used_count", 0);
    if (groups > 0 && groups >= experts) {
      refuse_value(metadata_.key("expert_group_count"), "less than \"expert_count\"",
                   shown(groups));
    }
    if (groups <= 1) return;
    if (std::fmod(experts, groups) != 0) {
      refuse_value(metadata_.key("expert_group_count"), "a divisor of \"expert_count\"",
                   shown(groups));
    }
    if (used_groups < 1 || used_groups >= groups) {
      refuse_value(metadata_.key("expert_group_used_count"),
                   "from 1 to less than \"expert_group_count\"", shown(used_groups));
    }
  }

  const Metadata& metadata_;
  const double layers_;
};

}  // namespace

void check_hyperparameters(const Metadata& metadata) { Check(metadata).run(); }

}  // namespace cria
