#include "core/chat/chat_template.h"

#include <chat-auto-parser.h>
#include <chat.h>
#include <jinja/caps.h>
#include <jinja/runtime.h>
#include <jinja/value.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/chat/chat_messages.h"
#include "core/chat/placeholders.h"
#include "core/chat/template_checks.h"
#include "core/chat/template_program.h"
#include "core/model/control_texts.h"
#include "core/model/error.h"

namespace cria {

namespace {

using chat_messages::Conversation;

constexpr size_t kKept = 4;  // a model has a template or two

std::string name_of(const Vocabulary& vocabulary, llama_token token) {
  std::string bytes;
  if (token != LLAMA_TOKEN_NULL) vocabulary.append_piece(token, /*special=*/true, bytes);
  return bytes;
}

// Roles do not count as a user's text: templates make control tokens of them.
void unmark_roles(jinja::context& context) {
  for (const jinja::value& message : context.get_val("messages")->as_array()) {
    jinja::value none = jinja::mk_val<jinja::value_undefined>();
    const jinja::value& role = message->at(jinja::mk_val<jinja::value_string>("role"), none);
    for (jinja::string_part& part : role->val_str.parts)
      part.is_input = false;
  }
}

void set_text(jinja::context& context, const char* name, const std::string& text) {
  context.set_val(name, jinja::mk_val<jinja::value_string>(text));
}

// The variables that the template sees.
void fill(jinja::context& context, const common_chat_template& compiled,
          const Conversation& conversation, const ChatRequest& request, const std::string& date) {
  common_json given = conversation.variables;
  given["messages"] = conversation.messages;
  if (!conversation.tools.empty()) given["tools"] = conversation.tools;
  if (request.add_generation_prompt) given["add_generation_prompt"] = true;
  if (given.contains("preserve_reasoning") && given.at("preserve_reasoning").is_boolean()) {
    jinja::caps_apply_preserve_reasoning(context, given.at("preserve_reasoning").get<bool>());
  }
  jinja::global_from_json(context, given, /*mark_input=*/true);
  unmark_roles(context);
  set_text(context, "bos_token", compiled.bos_tok);
  set_text(context, "eos_token", compiled.eos_tok);
  context.current_time = static_cast<std::time_t>(request.now);
  if (request.date) {
    const auto answer = [date](const jinja::func_args& /*unused*/) -> jinja::value {
      auto text = jinja::mk_val<jinja::value_string>(date);
      text->mark_input();
      return text;
    };
    context.set_val("strftime_now", jinja::mk_val<jinja::value_func>("strftime_now", answer));
  }
}

std::vector<RenderedPart> execute(jinja::context& context, const jinja::program& program) {
  const WorkBudget::Throwing throwing;
  jinja::runtime runtime(context);
  const jinja::value results = runtime.execute(program);
  const jinja::value_string written = jinja::runtime::gather_string_parts(results);
  std::vector<RenderedPart> parts;
  for (jinja::string_part& part : written->val_str.parts) {
    if (!part.val.empty()) parts.push_back({part.is_input, std::move(part.val)});
  }
  return parts;
}

// llama.cpp's converter writes to stderr about each `pattern` that it does not support. So they are
// removed: lib/ checks the arguments anyway.
common_json without_patterns(const common_json& schema) {
  if (schema.is_array()) {
    common_json array = common_json::array();
    for (const common_json& element : schema)
      array.push_back(without_patterns(element));
    return array;
  }
  if (!schema.is_object()) return schema;
  common_json object = common_json::object();
  for (const auto& [key, value] : schema.items()) {
    if (key != "pattern" || !value.is_string()) object[key] = without_patterns(value);
  }
  return object;
}

const char* name_of(common_grammar_trigger_type type) {
  switch (type) {
    case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
      return "token";
    case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:
      return "word";
    case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
      return "pattern";
    default:
      return "full-pattern";
  }
}

common_chat_tool_choice choice_of(ToolUse use) {
  switch (use) {
    case ToolUse::kNone:
      return COMMON_CHAT_TOOL_CHOICE_NONE;
    case ToolUse::kRequired:
      return COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    default:
      return COMMON_CHAT_TOOL_CHOICE_AUTO;
  }
}

// The parser recurses with each bracket. No arguments of a tool are nested so deeply.
constexpr size_t kDeepest = 1000;

bool is_too_deep(std::string_view text) {
  size_t depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{' || c == '(') ++depth;
    if ((c == ']' || c == '}' || c == ')') && depth > 0) --depth;
    if (depth > kDeepest) return true;
  }
  return false;
}

// llama.cpp's parser holds back the end of an answer if it could be the beginning of a mark, even
// when nothing follows. This adds it again; a complete mark stays out.
void add_unfinished(const std::string& text, ParsedAnswer& answer) {
  std::string& end =
      answer.content.empty() && !answer.reasoning.empty() ? answer.reasoning : answer.content;
  // From the beginning if possible: a text may end as it begins.
  const size_t at = text.compare(0, end.size(), end) == 0 ? 0 : text.rfind(end);
  if (at == std::string::npos) return;
  const std::string rest = text.substr(at + end.size());
  const size_t last = rest.find_last_not_of(" \t\r\n");
  if (last != std::string::npos && rest[last] != '>' && rest[last] != ']') end += rest;
}

common_chat_format format_of(const std::string& name) {
  for (int format = 0; format < COMMON_CHAT_FORMAT_COUNT; ++format) {
    const auto candidate = static_cast<common_chat_format>(format);
    if (name == common_chat_format_name(candidate)) return candidate;
  }
  return COMMON_CHAT_FORMAT_CONTENT_ONLY;
}

}  // namespace

// Its tree is freed on a stack that is deep enough.
struct ChatTemplate::Compiled {
  ControlTexts controls;
  std::unique_ptr<common_chat_template> program;
  std::unique_ptr<autoparser::autoparser> analysis;  // made when it is first needed
};

ChatTemplate::ChatTemplate(const Vocabulary& vocabulary, const std::string& source)
    : compiled_(new Compiled{ControlTexts(vocabulary, source), nullptr, nullptr}) {
  compiled_->program =
      template_program::compile(source, name_of(vocabulary, llama_vocab_bos(vocabulary.handle())),
                                name_of(vocabulary, llama_vocab_eos(vocabulary.handle())));
}

ChatTemplate::~ChatTemplate() {
  try {
    template_program::release([&] { compiled_.reset(); });
  } catch (const std::exception&) {
    // Out of memory: a flat tree can be freed on any stack.
  }
}

std::vector<PromptSegment> ChatTemplate::render(const Vocabulary& vocabulary,
                                                const ChatRequest& request) {
  const common_chat_template& compiled = *compiled_->program;
  Placeholders placeholders(compiled_->controls);
  const auto hide = [&](const std::string& text) { return placeholders.hide(text); };
  const Conversation conversation = chat_messages::prepare(request, compiled, hide);
  jinja::context context(compiled.src);
  fill(context, compiled, conversation, request, request.date ? hide(*request.date) : "");
  std::vector<RenderedPart> parts;
  try {
    parts = execute(context, compiled.prog);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw std::runtime_error(placeholders.restore_loosely(error.what()));
  }
  return cut_prompt(vocabulary, compiled_->controls, placeholders, parts);
}

AnswerFormat ChatTemplate::answer_format(const ChatRequest& request, ToolUse use, bool parallel) {
  const common_chat_template& compiled = *compiled_->program;
  const auto as_is = [](const std::string& text) { return text; };
  Conversation conversation = chat_messages::prepare(request, compiled, as_is);

  autoparser::generation_params params;
  params.messages = std::move(conversation.messages);
  if (!conversation.tools.empty()) params.tools = without_patterns(conversation.tools);
  params.tool_choice = choice_of(use);
  params.parallel_tool_calls = parallel;
  params.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  params.add_generation_prompt = request.add_generation_prompt;
  const common_json& variables = conversation.variables;
  const bool says = variables.at("enable_thinking").is_boolean();
  params.enable_thinking = !says || variables.at("enable_thinking").get<bool>();
  params.extra_context = variables;

  std::optional<common_chat_params> made =
      common_chat_try_specialized_template(compiled, compiled.src, params);
  if (!made) {
    if (!compiled_->analysis) {
      auto analysis = std::make_unique<autoparser::autoparser>();
      analysis->analyze_template(compiled);
      template_program::check_budget();  // an incomplete analysis must not be kept
      compiled_->analysis = std::move(analysis);
    }
    made = autoparser::peg_generator::generate_parser(compiled, params, *compiled_->analysis);
  }

  AnswerFormat format;
  format.name = common_chat_format_name(made->format);
  format.parser = std::move(made->parser);
  format.generation_prompt = std::move(made->generation_prompt);
  format.grammar = std::move(made->grammar);
  format.grammar_lazy = made->grammar_lazy;
  for (const common_grammar_trigger& trigger : made->grammar_triggers)
    format.triggers.push_back({name_of(trigger.type), trigger.value});
  format.preserved_tokens = std::move(made->preserved_tokens);
  format.additional_stops = std::move(made->additional_stops);
  return format;
}

ParsedAnswer parse_answer(const std::string& text, const std::string& format,
                          const std::string& generation_prompt, const std::string& parser,
                          WorkBudget& budget) {
  ParsedAnswer answer{text, {}, {}};
  if (parser.empty() || is_too_deep(text)) return answer;
  try {
    template_program::run(budget, [&] {
      common_chat_parser_params params;
      params.format = format_of(format);
      params.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
      params.generation_prompt = generation_prompt;
      params.parser.load(parser);
      const common_chat_msg message = common_chat_parse(text, /*is_partial=*/false, params);
      ParsedAnswer parsed{message.content, message.reasoning_content, {}};
      for (const common_chat_tool_call& call : message.tool_calls) {
        if (call.name.empty()) return;  // cut off before there was one
        parsed.calls.push_back({call.name, call.arguments});
      }
      if (parsed.calls.empty()) add_unfinished(text, parsed);
      answer = std::move(parsed);
    });
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    // Not in the format of the template's models: all of it is content.
  }
  return answer;
}

std::vector<PromptSegment> ChatTemplates::render(const Vocabulary& vocabulary,
                                                 const std::string& source,
                                                 const ChatRequest& request, WorkBudget& budget) {
  std::vector<PromptSegment> segments;
  template_program::run(budget,
                        [&] { segments = of(vocabulary, source).render(vocabulary, request); });
  return segments;
}

AnswerFormat ChatTemplates::answer_format(const Vocabulary& vocabulary, const std::string& source,
                                          const ChatRequest& request, ToolUse use, bool parallel,
                                          WorkBudget& budget) {
  AnswerFormat format;
  template_program::run(
      budget, [&] { format = of(vocabulary, source).answer_format(request, use, parallel); });
  return format;
}

ChatTemplate& ChatTemplates::of(const Vocabulary& vocabulary, const std::string& source) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.source == source; });
  if (found != entries_.end()) {
    std::rotate(found, found + 1, entries_.end());
    return *entries_.back().compiled;
  }
  auto compiled = std::make_unique<ChatTemplate>(vocabulary, source);
  template_program::check_budget();
  if (entries_.size() == kKept) entries_.erase(entries_.begin());
  entries_.push_back({source, std::move(compiled)});
  return *entries_.back().compiled;
}

}  // namespace cria
