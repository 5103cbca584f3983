#include "binding/request.h"

#include <algorithm>
#include <string>

#include "binding/adapter.h"
#include "binding/arguments.h"

namespace cria::binding {

namespace {

Segment to_segment(Napi::Value value) {
  if (value.IsString()) return to_text(value, "segments");
  if (value.IsTypedArray()) return to_tokens(value, "segments");
  return to_media(value);
}

Prompt to_prompt(const Fields& fields) {
  Prompt prompt;
  const Napi::Array segments = to_array(fields.value("segments"), "segments");
  for (uint32_t i = 0; i < segments.Length(); ++i)
    prompt.segments.push_back(to_segment(segments.Get(i)));
  prompt.add_bos = fields.flag("addBos");
  return prompt;
}

Reuse to_reuse(const Fields& fields) {
  const std::string reuse = fields.text("reuse");
  if (reuse == "none") return Reuse::kNone;
  if (reuse == "exact") return Reuse::kExact;
  if (reuse == "any") return Reuse::kAny;
  throw Error(code::kInvalidArgument, "Unknown reuse \"" + reuse + "\".");
}

uint32_t to_seed(const Fields& fields) {
  return static_cast<uint32_t>(to_integer(fields.value("seed"), "seed"));
}

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

step::Dry to_dry(const Fields& fields) {
  return {fields.real("multiplier"), fields.real("base"), fields.integer("allowedLength"),
          fields.integer("lastN"), fields.texts("breakers")};
}

step::Grammar to_grammar(const Fields& fields) {
  step::Grammar step;
  step.source = fields.text("source");
  step.root = fields.text("root");
  step.lazy = !fields.value("lazy").IsUndefined() && fields.flag("lazy");
  if (step.lazy) {
    step.trigger_tokens = to_tokens(fields.value("triggerTokens"), "triggerTokens");
    step.trigger_patterns = fields.texts("triggerPatterns");
  }
  if (!fields.value("prefix").IsUndefined()) step.prefix = fields.text("prefix");
  return step;
}

SamplerStep to_step(Napi::Value value) {
  const Fields fields(to_object(value, "sampler"));
  const auto min_keep = [&] { return static_cast<size_t>(std::max(fields.integer("minKeep"), 0)); };
  const std::string type = fields.text("type");
  if (type == "greedy") return step::Greedy{};
  if (type == "dist") return step::Dist{};
  if (type == "mirostat") {
    return step::Mirostat{fields.integer("version"), fields.real("tau"), fields.real("eta"),
                          fields.integer("candidates")};
  }
  if (type == "adaptive-p") return step::AdaptiveP{fields.real("target"), fields.real("decay")};
  if (type == "temperature") return step::Temperature{fields.real("value")};
  if (type == "dynamic-temperature") {
    return step::DynamicTemperature{fields.real("value"), fields.real("range"),
                                    fields.real("exponent")};
  }
  if (type == "top-k") return step::TopK{fields.integer("value")};
  if (type == "top-p") return step::TopP{fields.real("value"), min_keep()};
  if (type == "min-p") return step::MinP{fields.real("value"), min_keep()};
  if (type == "typical-p") return step::TypicalP{fields.real("value"), min_keep()};
  if (type == "top-n-sigma") return step::TopNSigma{fields.real("value")};
  if (type == "xtc") {
    return step::Xtc{fields.real("probability"), fields.real("threshold"), min_keep()};
  }
  if (type == "penalties") {
    return step::Penalties{fields.integer("lastN"), fields.real("repeat"), fields.real("frequency"),
                           fields.real("presence")};
  }
  if (type == "dry") return to_dry(fields);
  if (type == "logit-bias") return to_logit_bias(fields);
  if (type == "infill") return step::Infill{};
  if (type == "grammar") return to_grammar(fields);
  throw Error(code::kInvalidArgument, "Unknown sampler step \"" + type + "\".");
}

std::vector<SamplerStep> to_steps(Napi::Value value) {
  const Napi::Array array = to_array(value, "sampler");
  std::vector<SamplerStep> steps;
  for (uint32_t i = 0; i < array.Length(); ++i)
    steps.push_back(to_step(array.Get(i)));
  return steps;
}

decltype(Command::what) to_what(const Fields& fields) {
  const std::string type = fields.text("type");
  if (type == "create") {
    command::Create create{to_adapters(fields.value("adapters"))};
    if (fields.flag("cached")) create.cached = to_prompt(fields);
    return create;
  }
  if (type == "score") {
    return command::Score{to_prompt(fields), to_tokens(fields.value("candidates"), "candidates"),
                          to_tokens(fields.value("counts"), "counts"), to_reuse(fields),
                          to_adapters(fields.value("adapters"))};
  }
  if (type == "embed") return command::Embed{fields.text("text"), fields.flag("normalize")};
  if (type == "rank") return command::Rank{fields.text("query"), fields.text("document")};
  const SequenceId sequence = fields.integer("sequence");
  if (type == "fork") return command::Fork{sequence};
  if (type == "evaluate") return command::Evaluate{sequence, to_prompt(fields)};
  if (type == "logits") return command::Logits{sequence};
  if (type == "sample") {
    return command::Sample{sequence, fields.integer("sampler"), to_steps(fields.value("steps")),
                           to_seed(fields)};
  }
  if (type == "trim") return command::Trim{sequence, fields.integer("length")};
  if (type == "save") return command::Save{sequence, fields.text("path")};
  if (type == "restore") {
    return command::Restore{sequence, fields.text("path"), to_adapters(fields.value("adapters"))};
  }
  if (type == "dispose") return command::Dispose{sequence};
  throw Error(code::kInvalidArgument, "Unknown command \"" + type + "\".");
}

std::optional<ReasoningLimit> to_limit(Napi::Value value) {
  if (value.IsNull()) return std::nullopt;
  const Fields fields(to_object(value, "reasoning"));
  return ReasoningLimit{fields.text("start"), fields.texts("ends"), fields.integer("tokens"),
                        fields.flag("open")};
}

}  // namespace

// The bytes are copied: JavaScript may change them while they are decoded.
Media to_media(Napi::Value value) {
  const Fields fields(to_object(value, "segments"));
  Media media;
  media.kind = fields.choice<MediaKind>(
      "kind", {{"image", MediaKind::kImage}, {"audio", MediaKind::kAudio}});
  const Napi::Value data = fields.value("data");
  if (data.IsString()) {
    media.path = to_text(data, "data");
    return media;
  }
  const bool bytes =
      data.IsTypedArray() && data.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!bytes) throw Error(code::kInvalidArgument, "Expected a Uint8Array or a path for `data`.");
  const auto array = data.As<Napi::Uint8Array>();
  media.bytes.assign(array.Data(), array.Data() + array.ElementLength());
  return media;
}

std::shared_ptr<Request> to_request(Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  auto request = std::make_shared<Request>();
  request->id = to_integer(fields.value("id"), "id");
  request->prompt = to_prompt(fields);
  request->adapters = to_adapters(fields.value("adapters"));
  request->sampler = to_steps(fields.value("sampler"));
  request->seed = to_seed(fields);
  request->max_tokens = fields.integer("maxTokens");
  request->stops = fields.texts("stop");
  request->special = fields.flag("special");
  request->reasoning = to_limit(fields.value("reasoning"));
  request->shown = fields.texts("shown");
  request->progress = fields.flag("progress");
  request->logprobs = fields.integer("logprobs");
  request->reuse = to_reuse(fields);
  request->max_pause = fields.number("maxPause");
  return request;
}

std::shared_ptr<Command> to_command(Napi::Value id, Napi::Value value) {
  auto command = std::make_shared<Command>();
  command->id = to_integer(id, "id");
  command->what = to_what(Fields(to_object(value, "command")));
  return command;
}

}  // namespace cria::binding
