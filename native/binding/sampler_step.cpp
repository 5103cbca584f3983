#include "binding/sampler_step.h"

#include <algorithm>

#include "binding/arguments.h"

namespace cria::binding {

namespace {

step::LogitBias to_logit_bias(const Fields& fields) {
  const Tokens tokens = to_tokens(fields.value("tokens"), "tokens");
  const Napi::Value value = fields.value("biases");
  const bool floats = value.IsTypedArray() &&
                      value.As<Napi::TypedArray>().TypedArrayType() == napi_float32_array &&
                      value.As<Napi::TypedArray>().ElementLength() == tokens.size();
  if (!floats) {
    throw Error(code::kInvalidArgument,
                "Expected a Float32Array as long as `tokens` for `biases`.");
  }
  const float* biases = value.As<Napi::Float32Array>().Data();
  step::LogitBias step;
  for (size_t i = 0; i < tokens.size(); ++i)
    step.biases.push_back({tokens[i], biases[i]});
  return step;
}

}  // namespace

SamplerStep to_step(Napi::Value value) {
  const Fields fields(to_object(value, "sampler"));
  const auto min_keep = [&] { return static_cast<size_t>(std::max(fields.integer("minKeep"), 0)); };
  const std::string type = fields.text("type");
  if (type == "greedy") return step::Greedy{};
  if (type == "dist") return step::Dist{};
  if (type == "temperature") return step::Temperature{fields.real("value")};
  if (type == "top-k") return step::TopK{fields.integer("value")};
  if (type == "top-p") return step::TopP{fields.real("value"), min_keep()};
  if (type == "min-p") return step::MinP{fields.real("value"), min_keep()};
  if (type == "penalties") {
    return step::Penalties{fields.integer("lastN"), fields.real("repeat"), fields.real("frequency"),
                           fields.real("presence")};
  }
  if (type == "logit-bias") return to_logit_bias(fields);
  if (type == "grammar") {
    step::Grammar step;
    step.source = fields.text("source");
    step.root = fields.text("root");
    step.tokens = fields.texts("tokens");
    return step;
  }
  throw Error(code::kInvalidArgument, "Unknown sampler step \"" + type + "\".");
}

std::vector<SamplerStep> to_steps(Napi::Value value) {
  const Napi::Array array = to_array(value, "sampler");
  std::vector<SamplerStep> steps;
  for (uint32_t i = 0; i < array.Length(); ++i)
    steps.push_back(to_step(array.Get(i)));
  return steps;
}

}  // namespace cria::binding
