// The parser half of chat_template.h.
#include <chat.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>

#include "core/chat/chat_template.h"
#include "core/chat/template_program.h"

namespace cria {

namespace {

// The parser goes deeper with each bracket. No arguments of a tool are nested like this.
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

// An answer's end that could be the beginning of a mark is waited with, though nothing comes any
// more. A whole mark is left out rightly.
void add_unfinished(const std::string& text, ParsedAnswer& answer) {
  std::string& end =
      answer.content.empty() && !answer.reasoning.empty() ? answer.reasoning : answer.content;
  // From the beginning where it can be: a text may end like its own beginning.
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
    // Not what the template's models say: content, all of it.
  }
  return answer;
}

}  // namespace cria
