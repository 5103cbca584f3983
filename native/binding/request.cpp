#include "binding/request.h"

#include <string>

#include "binding/arguments.h"
#include "binding/sampler_step.h"

namespace cria::binding {

namespace {

Segment to_segment(Napi::Value value) {
  if (value.IsString()) return to_text(value, "segments");
  return to_tokens(value, "segments");
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

decltype(Command::what) to_what(const Fields& fields) {
  const std::string type = fields.text("type");
  if (type == "create") return command::Create{};
  if (type == "score") {
    return command::Score{to_prompt(fields), to_tokens(fields.value("candidates"), "candidates"),
                          to_reuse(fields)};
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
  if (type == "restore") return command::Restore{sequence, fields.text("path")};
  if (type == "dispose") return command::Dispose{sequence};
  throw Error(code::kInvalidArgument, "Unknown command \"" + type + "\".");
}

}  // namespace

std::shared_ptr<Request> to_request(Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  auto request = std::make_shared<Request>();
  request->id = to_integer(fields.value("id"), "id");
  request->prompt = to_prompt(fields);
  request->sampler = to_steps(fields.value("sampler"));
  request->seed = to_seed(fields);
  request->max_tokens = fields.integer("maxTokens");
  request->stops = fields.texts("stop");
  request->special = fields.flag("special");
  request->progress = fields.flag("progress");
  request->logprobs = fields.integer("logprobs");
  request->reuse = to_reuse(fields);
  return request;
}

std::shared_ptr<Command> to_command(Napi::Value id, Napi::Value value) {
  auto command = std::make_shared<Command>();
  command->id = to_integer(id, "id");
  command->what = to_what(Fields(to_object(value, "command")));
  return command;
}

}  // namespace cria::binding
