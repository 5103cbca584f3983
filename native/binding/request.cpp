#include "request.h"

#include "binding/arguments.h"
#include "binding/sampler_step.h"

namespace cria::binding {

namespace {

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
  request->sampler = to_steps(fields.value("sampler"));
  request->seed = static_cast<uint32_t>(to_integer(fields.value("seed"), "seed"));
  request->max_tokens = fields.integer("maxTokens");
  request->stops = fields.texts("stop");
  request->special = fields.flag("special");
  request->progress = fields.flag("progress");
  return request;
}

}  // namespace cria::binding
