#include "core/chat/chat_messages.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "core/chat/json_shape.h"
#include "core/chat/message_content.h"
#include "core/model/error.h"

namespace cria::chat_messages {

namespace {

using message_content::parts_of;
using message_content::text_of;

common_json rewritten(const common_json& value, const Rewrite& rewrite) {
  if (value.is_string()) return common_json(rewrite(value.get<std::string>()));
  if (value.is_array()) {
    common_json array = common_json::array();
    for (const common_json& element : value)
      array.push_back(rewritten(element, rewrite));
    return array;
  }
  if (value.is_object()) {
    common_json object = common_json::object();
    for (const auto& [key, element] : value.items())
      object[rewrite(key)] = rewritten(element, rewrite);
    return object;
  }
  // Beyond 63 bits the template engine would take it for a negative number.
  if (value.is_number_integer() && value.get<int64_t>() < 0) {
    const std::string digits = value.dump();
    if (digits.front() != '-') return common_json(std::stod(digits));
  }
  return value;
}

std::string stripped(std::string text, bool left, bool right) {
  while (right && !text.empty() && text.back() == '\n')
    text.pop_back();
  if (left) text.erase(0, text.find_first_not_of('\n'));
  return text;
}

// Some templates remove the reasoning from old answers by looking for its end mark. They would not
// find the mark if it is the text of a control token, so the reasoning is removed for them.
void set_thoughts_apart(common_json& message, const std::string& source) {
  constexpr std::string_view kBegin = "<think>";
  constexpr std::string_view kEnd = "</think>";
  const bool looks = source.find("split('</think>')") != std::string::npos ||
                     source.find("split(\"</think>\")") != std::string::npos;
  if (!looks || message.contains("reasoning_content")) return;
  if (!message.contains("content") || !message.at("content").is_string()) return;
  const std::string text = message.at("content").get<std::string>();
  const size_t end = text.find(kEnd);
  if (end == std::string::npos) return;
  const bool knows = source.find("reasoning_content") != std::string::npos;
  message["content"] = stripped(text.substr(text.rfind(kEnd) + kEnd.size()), knows, false);
  std::string thoughts = stripped(text.substr(0, end), false, true);
  const size_t begin = thoughts.rfind(kBegin);
  if (begin != std::string::npos) thoughts.erase(0, begin + kBegin.size());
  if (knows) message["reasoning_content"] = stripped(thoughts, true, false);
}

// A tool's result, for templates that show it in the turn of the call.
common_json response_of(const common_json& result, const common_json& calls, size_t index) {
  const std::string text = text_of(result.at("content"));
  // No text is no JSON: such a result stays what it is.
  const common_json parsed = common_json::parse_no_throw(is_too_nested(text) ? "" : text);
  common_json response = common_json::object();
  response["name"] = index < calls.size() ? calls.at(index).at("function").value("name", "")
                                          : result.value("name", "");
  response["response"] = parsed.is_discarded() ? common_json(text) : parsed;
  return response;
}

// The first templates of Gemma 4 have no tool messages: a call, its results and the answer after
// them are one message.
common_json with_tool_responses(const common_json& messages) {
  common_json grouped = common_json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    common_json message = messages.at(i);
    if (message.contains("tool_calls") && !message.at("tool_calls").empty()) {
      common_json responses = common_json::array();
      for (; i + 1 < messages.size() && messages.at(i + 1).value("role", "") == "tool"; ++i)
        responses.push_back(
            response_of(messages.at(i + 1), message.at("tool_calls"), responses.size()));
      if (!responses.empty()) message["tool_responses"] = responses;
      const bool answered = i + 1 < messages.size() &&
                            messages.at(i + 1).value("role", "") == "assistant" &&
                            !messages.at(i + 1).contains("tool_calls");
      if (answered) message["content"] = messages.at(++i).at("content");
      if (!answered) message["content"] = nullptr;
    }
    grouped.push_back(message);
  }
  return grouped;
}

// Mistral's templates refuse ids of another form than their models' own.
class CallIds {
 public:
  explicit CallIds(const std::string& source)
      : nine_(source.find("length != 9") != std::string::npos) {}

  void fit(common_json& message) {
    if (!nine_) return;
    if (message.contains("tool_call_id")) {
      message["tool_call_id"] = fitting(message.value("tool_call_id", ""));
    }
    if (!message.contains("tool_calls")) return;
    common_json& calls = message.at("tool_calls");
    for (size_t i = 0; i < calls.size(); ++i)
      calls.at(i)["id"] = fitting(calls.at(i).value("id", ""));
  }

 private:
  std::string fitting(const std::string& id) {
    const bool fits = id.size() == kLength && std::all_of(id.begin(), id.end(), [](char c) {
                        return std::isalnum(static_cast<unsigned char>(c)) != 0;
                      });
    if (fits) return id;
    const std::string number = std::to_string(known_.emplace(id, known_.size()).first->second);
    return std::string(kLength - std::min(kLength, number.size()), '0') + number;
  }

  static constexpr size_t kLength = 9;
  const bool nine_;
  std::map<std::string, size_t> known_;
};

// As JSON text if the template prints them, as an object if it looks into them.
common_json arguments_of(const common_json& given, bool as_object, const Rewrite& rewrite) {
  const std::string text = given.is_string() ? given.get<std::string>() : given.dump();
  if (!as_object) return common_json(rewrite(text));
  if (is_too_nested(text)) {
    throw Error(
        code::kInvalidArgument,
        "Expected the arguments of a tool call to have at most " + std::to_string(kMostLevels) +
            " levels, and at most " + std::to_string(kMostMembers) +
            " members in an object, got more: leave the call out, or shorten its arguments.");
  }
  common_json parsed = common_json::parse_no_throw(text.empty() ? "{}" : text);
  if (parsed.is_discarded()) {
    throw std::runtime_error("the arguments of a tool call are not JSON, which it needs");
  }
  return rewritten(parsed, rewrite);
}

common_json call_of(const common_json& given, bool as_object, const Rewrite& rewrite) {
  const common_json& function = given.at("function");
  common_json inner = common_json::object();
  inner["name"] = rewrite(function.value("name", ""));
  inner["arguments"] = arguments_of(function.at("arguments"), as_object, rewrite);
  common_json call = common_json::object();
  call["type"] = "function";
  call["function"] = inner;
  if (given.contains("id")) call["id"] = rewrite(given.value("id", ""));
  return call;
}

// Thoughts where the template looks for them, as llama.cpp puts them there.
void place_thoughts(common_json& message, const std::string& source) {
  const auto has = [&](const char* text) { return source.find(text) != std::string::npos; };
  if (has("[THINK]") && has("'thinking'")) {
    common_json thoughts = common_json::object();
    thoughts["type"] = "thinking";
    thoughts["thinking"] = message.at("reasoning_content");
    common_json parts = common_json::array();
    parts.push_back(thoughts);
    if (!message.at("content").is_null()) parts.insert(parts_of(message.at("content")));
    message["content"] = parts;
    return;
  }
  // gpt-oss takes only one of the two beside a call.
  if (has("Cannot pass both content and thinking") && message.contains("tool_calls")) {
    message["content"] = "";
  }
  if (has("message.thinking") || has("msg.thinking")) {
    message["thinking"] = message.at("reasoning_content");
  }
}

common_json message_of(common_json given, const common_chat_template& compiled, bool null_content,
                       const Rewrite& rewrite) {
  const jinja::caps& caps = compiled.caps;
  common_json message = common_json::object();
  if (given.value("role", "") == "assistant") set_thoughts_apart(given, compiled.src);
  std::string role = given.value("role", "");
  // Only templates with channels have a developer role.
  const bool developers = compiled.src.find("<|channel|>") != std::string::npos;
  if (role == "developer" && !developers) role = "system";
  message["role"] = role;

  common_json content = common_json("");
  if (given.contains("content") && !given.at("content").is_null()) {
    content = rewritten(given.at("content"), rewrite);
  }
  const bool only_text = caps.supports_string_content && !caps.supports_typed_content;
  const bool only_parts = !caps.supports_string_content && caps.supports_typed_content;
  if (only_text) content = common_json(text_of(content));
  if (only_parts) content = parts_of(content);
  const bool calls = given.contains("tool_calls") && !given.at("tool_calls").empty();
  const bool silent = given.contains("content") && given.at("content").is_null();
  if (calls && silent && null_content) content = nullptr;
  message["content"] = content;

  for (const char* key : {"reasoning_content", "name", "tool_call_id"}) {
    if (!given.contains(key) || !given.at(key).is_string()) continue;
    message[key] = rewrite(given.at(key).get<std::string>());
  }
  if (given.contains("tool_responses")) {
    message["tool_responses"] = rewritten(given.at("tool_responses"), rewrite);
  }
  if (calls) {
    common_json told = common_json::array();
    for (const common_json& call : given.at("tool_calls"))
      told.push_back(call_of(call, caps.supports_object_arguments, rewrite));
    message["tool_calls"] = told;
  }
  if (message.contains("reasoning_content")) place_thoughts(message, compiled.src);
  return message;
}

// gpt-oss's template asks each array's schema for its `items`. Where there are none the engine
// finds the function of that name, and fails.
common_json with_items(const common_json& schema) {
  if (schema.is_array()) {
    common_json array = common_json::array();
    for (const common_json& element : schema)
      array.push_back(with_items(element));
    return array;
  }
  if (!schema.is_object()) return schema;
  common_json copy = common_json::object();
  for (const auto& [key, value] : schema.items())
    copy[key] = key == "default" || key == "enum" ? value : with_items(value);
  const bool array = copy.contains("type") && copy.at("type") == "array";
  if (array && !copy.contains("items")) copy["items"] = nullptr;
  return copy;
}

common_json tool_of(const common_json& given, bool asks_for_items, const Rewrite& rewrite) {
  const common_json& function = given.at("function");
  common_json inner = common_json::object();
  inner["name"] = rewrite(function.value("name", ""));
  inner["description"] = rewrite(function.value("description", ""));
  const common_json parameters =
      function.contains("parameters") ? function.at("parameters") : common_json::object();
  inner["parameters"] = rewritten(asks_for_items ? with_items(parameters) : parameters, rewrite);
  common_json tool = common_json::object();
  tool["type"] = "function";
  tool["function"] = inner;
  return tool;
}

std::string formatted(std::time_t now, const char* format) {
  char text[64];
  // Windows knows no local time before 1970.
  const std::tm* const local = std::localtime(&now);
  if (local == nullptr) throw std::runtime_error("the date is none that this system can show");
  const size_t length = std::strftime(text, sizeof text, format, local);
  return {text, length};
}

}  // namespace

void drop_nested_results(common_json& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    common_json& message = messages.at(i);
    if (message.value("role", "") != "tool" || !message.at("content").is_string()) continue;
    if (is_too_nested(message.at("content").get<std::string>())) message["content"] = "";
  }
}

Conversation prepare(const ChatRequest& request, const common_chat_template& compiled,
                     const tool_support::Support& support, const Rewrite& rewrite) {
  Conversation conversation;
  conversation.messages = common_json::array();
  const common_json tools = common_json::parse(request.tools);
  common_json given_messages =
      tool_support::written_out(common_json::parse(request.messages), tools, support);
  const bool first_gemma_4 = compiled.src.find("'<|tool_call>call:'") != std::string::npos &&
                             compiled.src.find("{#- OpenAI Chat Completions:") == std::string::npos;
  if (first_gemma_4) given_messages = with_tool_responses(given_messages);
  CallIds ids(compiled.src);
  for (common_json message : given_messages) {
    ids.fit(message);
    conversation.messages.push_back(
        message_of(std::move(message), compiled, support.null_content, rewrite));
  }

  conversation.tools = common_json::array();
  if (support.tools) {
    const bool asks = compiled.src.find("param_spec['items']") != std::string::npos;
    for (const common_json& tool : tools)
      conversation.tools.push_back(tool_of(tool, asks, rewrite));
  }

  // The variables that llama.cpp gives every template.
  common_json variables = common_json::object();
  const std::string date = request.date ? rewrite(*request.date) : "";
  variables["datetime"] = request.date ? date : formatted(request.now, "%b %d %Y");
  variables["date_string"] = request.date ? date : formatted(request.now, "%d %b %Y");
  variables["enable_thinking"] = true;
  const common_json given = rewritten(common_json::parse(request.variables), rewrite);
  for (const auto& [key, value] : given.items())
    variables[key] = value;
  conversation.variables = variables;
  return conversation;
}

}  // namespace cria::chat_messages
