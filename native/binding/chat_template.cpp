#include "binding/chat_template.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/errors.h"
#include "core/chat/answer_event.h"
#include "core/chat/answer_stream.h"
#include "core/model/utf8.h"

namespace cria::binding {

namespace {

// The JSON text of an array, given as one string, or as its elements in several pieces of UTF-8.
std::string to_json(Napi::Value value, const char* name) {
  if (value.IsString()) return to_text(value, name);
  const Napi::Array pieces = to_array(value, name);
  const auto is_bytes = [](const Napi::Value& piece) {
    return piece.IsTypedArray() &&
           piece.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  };
  size_t length = 2;
  for (uint32_t i = 0; i < pieces.Length(); ++i) {
    const Napi::Value piece = pieces.Get(i);
    if (is_bytes(piece)) length += piece.As<Napi::Uint8Array>().ElementLength() + 1;
  }
  std::string json;
  json.reserve(length);
  json += '[';
  for (uint32_t i = 0; i < pieces.Length(); ++i) {
    const Napi::Value piece = pieces.Get(i);
    if (!is_bytes(piece)) {
      throw Error(code::kInvalidArgument, std::string("Expected bytes for `") + name + "`.");
    }
    const auto bytes = piece.As<Napi::Uint8Array>();
    if (i > 0) json += ',';
    json.append(reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength());
  }
  return json += ']';
}

ChatRequest to_request(const Fields& fields) {
  ChatRequest request;
  request.messages = to_json(fields.value("messages"), "messages");
  request.tools = fields.text("tools");
  request.variables = fields.text("variables");
  request.add_generation_prompt = fields.flag("addGenerationPrompt");
  request.describe_tools = fields.flag("describeTools");
  request.now = to_integer(fields.value("now"), "now");
  if (!fields.value("date").IsNull()) request.date = fields.text("date");
  return request;
}

ToolUse to_use(const Fields& fields) {
  return fields.choice<ToolUse>(
      "toolChoice",
      {{"auto", ToolUse::kAuto}, {"none", ToolUse::kNone}, {"required", ToolUse::kRequired}});
}

// A prompt as one text, with the ends of its segments in UTF-16 units. A JS object for each segment
// would block the JS thread for too long.
struct FlatPrompt {
  std::string text;
  std::vector<int32_t> kinds;  // as in lib/internal/native.ts
  std::vector<int32_t> ends;   // in the text, or in the tokens
  Tokens tokens;
};

int32_t utf16_length(std::string_view text) {
  int32_t length = 0;
  for (const char c : text) {
    if (!utf8::continues(c)) length += static_cast<unsigned char>(c) >= 0xF0 ? 2 : 1;
  }
  return length;
}

FlatPrompt flatten(const std::vector<PromptSegment>& segments) {
  FlatPrompt flat;
  int32_t written = 0;
  for (const PromptSegment& segment : segments) {
    if (const auto* tokens = std::get_if<Tokens>(&segment)) {
      flat.tokens.insert(flat.tokens.end(), tokens->begin(), tokens->end());
      flat.kinds.push_back(2);
      flat.ends.push_back(static_cast<int32_t>(flat.tokens.size()));
      continue;
    }
    const auto* control = std::get_if<ControlSegment>(&segment);
    const std::string text =
        utf8::repair(control != nullptr ? control->text : std::get<std::string>(segment));
    flat.text += text;
    written += utf16_length(text);
    flat.kinds.push_back(control != nullptr ? 1 : 0);
    flat.ends.push_back(written);
  }
  return flat;
}

Napi::Value from_flat(Napi::Env env, const FlatPrompt& flat) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("text", flat.text);
  object.Set("kinds", from_tokens(env, flat.kinds));
  object.Set("ends", from_tokens(env, flat.ends));
  object.Set("tokens", from_tokens(env, flat.tokens));
  return object;
}

Napi::Object from_format(Napi::Env env, const AnswerFormat& format) {
  const auto from_trigger = [env](const GrammarTrigger& trigger) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("type", trigger.type);
    object.Set("value", trigger.value);
    return object;
  };
  Napi::Object object = Napi::Object::New(env);
  object.Set("format", format.name);
  object.Set("parser", format.parser);
  object.Set("generationPrompt", format.generation_prompt);
  object.Set("grammar", format.grammar);
  object.Set("grammarLazy", format.grammar_lazy);
  object.Set("triggers", from_list(env, format.triggers, from_trigger));
  object.Set("preservedTokens", from_texts(env, format.preserved_tokens));
  object.Set("additionalStops", from_texts(env, format.additional_stops));
  object.Set("reasons", format.reasons);
  object.Set("reasoningStart", format.reasoning_start);
  object.Set("reasoningEnds", from_texts(env, format.reasoning_ends));
  return object;
}

AnswerRules to_rules(const Fields& fields) {
  return {to_use(fields), fields.flag("parallelToolCalls"), fields.flag("schema")};
}

const char* name_of(AnswerEvent::Kind kind) {
  switch (kind) {
    case AnswerEvent::Kind::kText:
      return "text";
    case AnswerEvent::Kind::kReasoning:
      return "reasoning";
    case AnswerEvent::Kind::kCall:
      return "call";
    case AnswerEvent::Kind::kArguments:
      return "arguments";
    default:
      return "call-end";
  }
}

Napi::Value from_events(Napi::Env env, const std::vector<AnswerEvent>& events) {
  return from_list(env, events, [env](const AnswerEvent& event) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("type", name_of(event.kind));
    object.Set("text", event.text);
    if (event.kind == AnswerEvent::Kind::kReasoning) {
      object.Set("from", static_cast<double>(event.from));
      object.Set("to", static_cast<double>(event.to));
    }
    if (event.kind == AnswerEvent::Kind::kCallEnd) object.Set("broken", event.broken);
    return object;
  });
}

// napi_get_value_external does not check what it points to: this tag does.
constexpr napi_type_tag kAnswerTag = {0x63726961'616e7377, 0x7f4a7c159e3779b9};

std::shared_ptr<AnswerStream> to_answer(Napi::Value value) {
  if (!value.IsExternal() ||
      !value.As<Napi::External<std::shared_ptr<AnswerStream>>>().CheckTypeTag(&kAnswerTag)) {
    throw Error(code::kInvalidArgument, "Expected an answer.");
  }
  return *value.As<Napi::External<std::shared_ptr<AnswerStream>>>().Data();
}

ModelWork::Result result_of(std::vector<AnswerEvent> events) {
  const auto told = std::make_shared<const std::vector<AnswerEvent>>(std::move(events));
  return [told](Napi::Env env) { return from_events(env, *told); };
}

}  // namespace

Napi::Value render_template(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  const ChatRequest request = to_request(fields);
  WorkBudget budget(nullptr, request.memory());
  return from_flat(env,
                   flatten(templates.render(vocabulary, fields.text("template"), request, budget)));
}

ModelWork::Job render_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  const auto request = std::make_shared<const ChatRequest>(to_request(fields));
  return [model = std::move(model), templates = std::move(templates), request,
          source = fields.text("template")](const ModelWork::Stop& stop) {
    WorkBudget budget(&stop, request->memory());
    const auto flat = std::make_shared<const FlatPrompt>(
        flatten(templates->render(model->vocabulary(), source, *request, budget)));
    return [flat](Napi::Env env) { return from_flat(env, *flat); };
  };
}

ModelWork::Job format_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value value) {
  const Fields fields(to_object(value, "request"));
  const auto request = std::make_shared<const ChatRequest>(to_request(fields));
  return [model = std::move(model), templates = std::move(templates), request,
          source = fields.text("template"), rules = to_rules(fields)](const ModelWork::Stop& stop) {
    WorkBudget budget(&stop, request->memory());
    const auto format = std::make_shared<const AnswerFormat>(
        templates->answer_format(model->vocabulary(), source, *request, rules, budget));
    return [format](Napi::Env env) -> Napi::Value { return from_format(env, *format); };
  };
}

Napi::Value open_answer(Napi::Env env, Napi::Value value) {
  const Fields fields(to_object(value, "grammar"));
  AnswerGrammar grammar{fields.text("format"), fields.text("parser"),
                        fields.text("generationPrompt"), fields.texts("preservedTokens")};
  using Answer = std::shared_ptr<AnswerStream>;
  auto answer = std::make_unique<Answer>(std::make_shared<AnswerStream>(std::move(grammar)));
  auto external = Napi::External<Answer>::New(env, answer.get(),
                                              [](Napi::Env, Answer* given) { delete given; });
  answer.release();
  external.TypeTag(&kAnswerTag);
  return external;
}

ModelWork::Job answer_job(Napi::Value answer, Napi::Value text) {
  return [answer = to_answer(answer), text = to_text(text, "text")](const ModelWork::Stop& stop) {
    WorkBudget budget(&stop, WorkBudget::kMemory + ChatRequest::kMemoryPerByte * text.size());
    return result_of(answer->push(text, budget));
  };
}

ModelWork::Job answer_end_job(Napi::Value answer, Napi::Value cut_off) {
  return
      [answer = to_answer(answer), cut = to_flag(cut_off, "cutOff")](const ModelWork::Stop& stop) {
        WorkBudget budget(&stop);
        return result_of(answer->finish(cut, budget));
      };
}

}  // namespace cria::binding
