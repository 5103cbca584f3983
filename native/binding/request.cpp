#include "request.h"

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
    step.lazy = !fields.value("lazy").IsUndefined() && fields.flag("lazy");
    if (step.lazy) {
      step.trigger_tokens = to_tokens(fields.value("triggerTokens"), "triggerTokens");
      step.trigger_patterns = fields.texts("triggerPatterns");
    }
    return step;
  }
  throw Error(code::kInvalidArgument, "Unknown sampler step \"" + type + "\".");
}

Request::Segment to_segment(Napi::Value value) {
  if (value.IsString()) return to_text(value, "segments");
  return to_tokens(value, "segments");
}

}  // namespace

std::shared_ptr<Request> to_request(Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  auto request = std::make_shared<Request>();
  request->id = to_integer(fields.value("id"), "id");
  const Napi::Array segments = to_array(fields.value("segments"), "segments");
  for (uint32_t i = 0; i < segments.Length(); ++i) {
    request->segments.push_back(to_segment(segments.Get(i)));
  }
  request->add_bos = fields.flag("addBos");
  const Napi::Array steps = to_array(fields.value("sampler"), "sampler");
  for (uint32_t i = 0; i < steps.Length(); ++i)
    request->sampler.push_back(to_step(steps.Get(i)));
  request->seed = static_cast<uint32_t>(to_integer(fields.value("seed"), "seed"));
  request->max_tokens = fields.integer("maxTokens");
  request->stops = fields.texts("stop");
  request->special = fields.flag("special");
  request->progress = fields.flag("progress");
  return request;
}

}  // namespace cria::binding
