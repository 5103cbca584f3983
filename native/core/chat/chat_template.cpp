#include "core/chat/chat_template.h"

#include <chat-auto-parser.h>
#include <chat.h>
#include <jinja/caps.h>
#include <jinja/runtime.h>
#include <jinja/value.h>

#include <algorithm>
#include <functional>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/chat/chat_messages.h"
#include "core/chat/parser_repairs.h"
#include "core/chat/placeholders.h"
#include "core/chat/system_messages.h"
#include "core/chat/template_checks.h"
#include "core/chat/template_program.h"
#include "core/chat/tool_schemas.h"
#include "core/chat/tool_support.h"
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
          const Conversation& conversation, const common_json& messages, const ChatRequest& request,
          const std::string& date) {
  common_json given = conversation.variables;
  given["messages"] = messages;
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

using Rendering = std::function<std::vector<RenderedPart>(const common_json& messages)>;

bool shows_system_messages(const common_json& messages, const Rendering& rendered) {
  const system_messages::Marked marked = system_messages::marked(messages);
  std::string text;
  for (const RenderedPart& part : rendered(marked.messages))
    text += part.text;
  return marked.all_in(text);
}

// Where a template leaves out system messages behind the first, all become one in front, in the
// order in which they were given. Throws ERR_TEMPLATE if it leaves that out, too.
void keep_system_messages(common_json& messages, bool has_role, const Rendering& rendered) {
  const common_json given = has_role ? common_json() : messages;
  if (!has_role) system_messages::merge(messages);
  if (!system_messages::scattered(messages)) return;
  try {
    if (shows_system_messages(messages, rendered)) return;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return;  // what it has against the conversation it says again
  }
  common_json gathered = system_messages::gathered(has_role ? messages : given);
  if (!has_role) {
    system_messages::merge(gathered);
  } else if (!shows_system_messages(gathered, rendered)) {
    throw Error(code::kTemplate,
                "The model's chat template leaves out system messages behind the first. Put what "
                "they say into the first one, or into a message of the user.");
  }
  messages = std::move(gathered);
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

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

// Calls as tool_support describes them.
void read_described_calls(autoparser::autoparser& analysis) {
  autoparser::tool_format_analysis format;
  format.mode = autoparser::tool_format::JSON_NATIVE;
  format.per_call_start = tool_support::kCallBegin;
  format.per_call_end = tool_support::kCallEnd;
  analysis.tools.format = format;
  analysis.jinja_caps.supports_tool_calls = true;
  analysis.content.mode = autoparser::content_mode::PLAIN;
  analysis.preserved_tokens.insert(analysis.preserved_tokens.end(),
                                   {tool_support::kCallBegin, tool_support::kCallEnd});
}

// Renders without the text of the end-of-text token.
class WithoutEos {
 public:
  explicit WithoutEos(common_chat_template& program) : program_(program) {
    std::swap(program_.eos_tok, eos_);
  }
  ~WithoutEos() { std::swap(program_.eos_tok, eos_); }
  WithoutEos(const WithoutEos&) = delete;
  WithoutEos& operator=(const WithoutEos&) = delete;

 private:
  common_chat_template& program_;
  std::string eos_;
};

}  // namespace

// Its tree is freed on a stack that is deep enough.
struct ChatTemplate::Compiled {
  ControlTexts controls;
  std::unique_ptr<common_chat_template> program;
  // Made when they are first needed.
  std::unique_ptr<autoparser::autoparser> analysis;
  std::optional<tool_support::Support> support;
};

ChatTemplate::ChatTemplate(const Vocabulary& vocabulary, const std::string& source)
    : compiled_(new Compiled{ControlTexts(vocabulary, source), nullptr, nullptr, std::nullopt}) {
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

const autoparser::autoparser& ChatTemplate::analysis() {
  if (!compiled_->analysis) {
    auto analysis = std::make_unique<autoparser::autoparser>();
    {
      // The end of the text is never part of an answer, and some analyses take it for a mark.
      const WithoutEos without(*compiled_->program);
      analysis->analyze_template(*compiled_->program);
    }
    template_program::check_budget();  // an incomplete analysis must not be kept
    compiled_->analysis = std::move(analysis);
  }
  return *compiled_->analysis;
}

// Whether llama.cpp knows how the calls of such a model look.
bool ChatTemplate::reads_calls() {
  const common_chat_template& compiled = *compiled_->program;
  autoparser::generation_params params;
  params.messages = common_json::parse(R"([{"role": "user", "content": "Please."}])");
  params.extra_context = common_json::object();
  try {
    if (common_chat_try_specialized_template(compiled, compiled.src, params)) return true;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    template_program::check_budget();
    return true;  // it is one, and refuses the conversation
  }
  return analysis().tools.format.mode != autoparser::tool_format::NONE &&
         analysis().jinja_caps.supports_tool_calls;
}

// Throws ERR_UNSUPPORTED for tools that the request does not want described.
const tool_support::Support& ChatTemplate::support_for(const ChatRequest& request) {
  static const tool_support::Support kAll{true, true, true, true, true};
  const bool plain =
      request.tools == "[]" && request.messages.find("\"tool_calls\":[{") == std::string::npos;
  if (plain) return kAll;
  if (!compiled_->support) {
    tool_support::Support support = tool_support::probe(*compiled_->program);
    template_program::check_budget();
    support.tools = support.tools && reads_calls();
    compiled_->support = support;
  }
  if (request.tools != "[]" && !compiled_->support->tools && !request.describe_tools) {
    throw Error(code::kUnsupported,
                "The model's chat template shows no tools. Let them be described in the system "
                "message (`toolFallback: \"describe\"`), or leave them out.");
  }
  return *compiled_->support;
}

std::vector<PromptSegment> ChatTemplate::render(const Vocabulary& vocabulary,
                                                const ChatRequest& request) {
  const common_chat_template& compiled = *compiled_->program;
  Placeholders placeholders(compiled_->controls);
  const auto hide = [&](const std::string& text) { return placeholders.hide(text); };
  Conversation conversation = chat_messages::prepare(request, compiled, support_for(request), hide);
  const std::string date = request.date ? hide(*request.date) : "";
  const auto rendered = [&](const common_json& messages) {
    jinja::context context(compiled.src);
    fill(context, compiled, conversation, messages, request, date);
    return execute(context, compiled.prog);
  };
  keep_system_messages(conversation.messages, compiled.caps.supports_system_role, rendered);
  std::vector<RenderedPart> parts;
  try {
    parts = rendered(conversation.messages);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw std::runtime_error(placeholders.restore_loosely(error.what()));
  }
  return cut_prompt(vocabulary, compiled_->controls, placeholders, parts);
}

AnswerFormat ChatTemplate::answer_format(const ChatRequest& request, const AnswerRules& rules) {
  const common_chat_template& compiled = *compiled_->program;
  const auto as_is = [](const std::string& text) { return text; };
  const tool_support::Support& support = support_for(request);
  Conversation conversation = chat_messages::prepare(request, compiled, support, as_is);

  if (!compiled.caps.supports_system_role) system_messages::merge(conversation.messages);

  autoparser::generation_params params;
  params.messages = std::move(conversation.messages);
  chat_messages::drop_nested_results(params.messages);
  const common_json tools = common_json::parse(request.tools);
  if (!tools.empty()) params.tools = tool_schemas::convertible(tools);
  params.tool_choice = choice_of(rules.use);
  params.parallel_tool_calls = rules.parallel;
  // The answer's own schema is not llama.cpp's to compile: one that says nothing is a rule of its
  // own in the grammar.
  if (rules.schema) params.json_schema = tool_schemas::any_object();
  params.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
  params.add_generation_prompt = request.add_generation_prompt;
  const common_json& variables = conversation.variables;
  const bool says = variables.at("enable_thinking").is_boolean();
  params.enable_thinking = !says || variables.at("enable_thinking").get<bool>();
  params.extra_context = variables;

  const bool described = !tools.empty() && !support.tools;
  std::optional<common_chat_params> made;
  if (!described) made = common_chat_try_specialized_template(compiled, compiled.src, params);
  if (!made) {
    autoparser::autoparser found = analysis();
    if (described) read_described_calls(found);
    made = autoparser::peg_generator::generate_parser(compiled, params, found);
    parser_repairs::repair(*made, found, rules.parallel);
    const autoparser::analyze_reasoning& reasoning = found.reasoning;
    made->supports_thinking = reasoning.mode != autoparser::reasoning_mode::NONE;
    if (made->supports_thinking) {
      made->thinking_start_tag = trimmed(reasoning.start);
      made->thinking_end_tags = {trimmed(reasoning.end)};
    }
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
  format.reasons = made->supports_thinking;
  // Where a template ends its prompts the same way whether or not they are to be answered, nothing
  // tells the end of the prompt from its rest. Only begun thoughts matter.
  const std::string begun = trimmed(made->thinking_start_tag);
  const std::string prompt = trimmed(made->prompt);
  if (format.generation_prompt.empty() && !begun.empty() && prompt.size() > begun.size() &&
      prompt.compare(prompt.size() - begun.size(), begun.size(), begun) == 0) {
    format.generation_prompt = begun;
  }
  format.reasoning_start = std::move(made->thinking_start_tag);
  for (std::string& end : made->thinking_end_tags) {
    if (!end.empty()) format.reasoning_ends.push_back(std::move(end));
  }
  return format;
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
                                          const ChatRequest& request, const AnswerRules& rules,
                                          WorkBudget& budget) {
  AnswerFormat format;
  template_program::run(budget,
                        [&] { format = of(vocabulary, source).answer_format(request, rules); });
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
