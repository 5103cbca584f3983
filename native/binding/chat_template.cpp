#include "binding/chat_template.h"

#include "binding/arguments.h"
#include "binding/errors.h"

namespace cria::binding {

namespace {

ChatRequest to_request(const Fields& fields) {
  ChatRequest request;
  request.messages = fields.text("messages");
  request.tools = fields.text("tools");
  request.variables = fields.text("variables");
  request.add_generation_prompt = fields.flag("addGenerationPrompt");
  request.now = to_integer(fields.value("now"), "now");
  if (!fields.value("date").IsNull()) request.date = fields.text("date");
  return request;
}

Napi::Object from_segment(Napi::Env env, const PromptSegment& segment) {
  Napi::Object object = Napi::Object::New(env);
  if (const auto* text = std::get_if<std::string>(&segment)) {
    object.Set("text", *text);
  } else if (const auto* control = std::get_if<ControlSegment>(&segment)) {
    object.Set("control", control->text);
  } else {
    object.Set("tokens", from_tokens(env, std::get<Tokens>(segment)));
  }
  return object;
}

Napi::Array from_texts(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array array = Napi::Array::New(env, texts.size());
  uint32_t next = 0;
  for (const std::string& text : texts)
    array.Set(next++, text);
  return array;
}

}  // namespace

Napi::Value render_template(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  const ChatRequest request = to_request(fields);
  WorkBudget budget(nullptr, request.memory());
  Napi::Array segments = Napi::Array::New(env);
  uint32_t next = 0;
  for (const PromptSegment& segment :
       templates.render(vocabulary, fields.text("template"), request, budget))
    segments.Set(next++, from_segment(env, segment));
  return segments;
}

Napi::Value template_format(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  const auto use = fields.choice<ToolUse>(
      "toolChoice",
      {{"auto", ToolUse::kAuto}, {"none", ToolUse::kNone}, {"required", ToolUse::kRequired}});
  const ChatRequest request = to_request(fields);
  WorkBudget budget(nullptr, request.memory());
  const AnswerFormat format = templates.answer_format(
      vocabulary, fields.text("template"), request, use, fields.flag("parallelToolCalls"), budget);

  Napi::Array triggers = Napi::Array::New(env);
  uint32_t next = 0;
  for (const GrammarTrigger& trigger : format.triggers) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("type", trigger.type);
    object.Set("value", trigger.value);
    triggers.Set(next++, object);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("format", format.name);
  object.Set("parser", format.parser);
  object.Set("generationPrompt", format.generation_prompt);
  object.Set("grammar", format.grammar);
  object.Set("grammarLazy", format.grammar_lazy);
  object.Set("triggers", triggers);
  object.Set("preservedTokens", from_texts(env, format.preserved_tokens));
  object.Set("additionalStops", from_texts(env, format.additional_stops));
  return object;
}

Napi::Value parse_template_answer(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Napi::Env env = info.Env();
    const Fields format(to_object(info[1], "format"));
    const std::string text = to_text(info[0], "text");
    WorkBudget budget(nullptr, WorkBudget::kMemory + ChatRequest::kMemoryPerByte * text.size());
    const ParsedAnswer answer =
        parse_answer(text, format.text("format"), format.text("generationPrompt"),
                     format.text("parser"), budget);
    Napi::Array calls = Napi::Array::New(env);
    uint32_t next = 0;
    for (const ParsedCall& call : answer.calls) {
      Napi::Object object = Napi::Object::New(env);
      object.Set("name", call.name);
      object.Set("arguments", call.arguments);
      calls.Set(next++, object);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("content", answer.content);
    object.Set("reasoning", answer.reasoning);
    object.Set("calls", calls);
    return object;
  });
}

}  // namespace cria::binding
