#include "chat_messages.h"

#include <ctime>
#include <stdexcept>
#include <utility>

namespace cria::chat_messages {

namespace {

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
  return value;
}

std::string joined(const common_json& content) {
  if (content.is_string()) return content.get<std::string>();
  std::string text;
  if (!content.is_array()) return text;
  for (const common_json& part : content) {
    if (!text.empty()) text += '\n';
    text += part.value("text", "");
  }
  return text;
}

common_json parts_of(const common_json& content) {
  if (content.is_array()) return content;
  common_json part = common_json::object();
  part["type"] = "text";
  part["text"] = content;
  common_json parts = common_json::array();
  parts.push_back(part);
  return parts;
}

// As JSON text where the template prints it, as an object where it looks into it.
common_json arguments_of(const common_json& given, bool as_object, const Rewrite& rewrite) {
  const std::string text = given.is_string() ? given.get<std::string>() : given.dump();
  if (!as_object) return common_json(rewrite(text));
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

common_json message_of(const common_json& given, const common_chat_template& compiled,
                       const Rewrite& rewrite) {
  const jinja::caps& caps = compiled.caps;
  common_json message = common_json::object();
  std::string role = given.value("role", "");
  // Only the templates with channels know developers.
  const bool developers = compiled.src.find("<|channel|>") != std::string::npos;
  if (role == "developer" && !developers) role = "system";
  message["role"] = role;

  common_json content = common_json("");
  if (given.contains("content") && !given.at("content").is_null()) {
    content = rewritten(given.at("content"), rewrite);
  }
  const bool only_text = caps.supports_string_content && !caps.supports_typed_content;
  const bool only_parts = !caps.supports_string_content && caps.supports_typed_content;
  if (only_text) content = common_json(joined(content));
  if (only_parts) content = parts_of(content);
  message["content"] = content;

  for (const char* key : {"reasoning_content", "name", "tool_call_id"}) {
    if (!given.contains(key) || !given.at(key).is_string()) continue;
    message[key] = rewrite(given.at(key).get<std::string>());
  }
  if (given.contains("tool_calls") && !given.at("tool_calls").empty()) {
    common_json calls = common_json::array();
    for (const common_json& call : given.at("tool_calls"))
      calls.push_back(call_of(call, caps.supports_object_arguments, rewrite));
    message["tool_calls"] = calls;
  }
  return message;
}

// A system message goes in front of the next one where the template would drop it.
void merge_system(common_json& messages) {
  if (messages.size() < 2 || messages.front().value("role", "") != "system") return;
  common_json& next = messages.at(1);
  const common_json& system = messages.front().at("content");
  if (system.is_array() && next.at("content").is_array()) {
    common_json both = system;
    both.insert(next.at("content"));
    next["content"] = both;
  } else {
    next["content"] = joined(system) + "\n" + joined(next.at("content"));
  }
  messages.erase(size_t{0});
}

common_json tool_of(const common_json& given, const Rewrite& rewrite) {
  const common_json& function = given.at("function");
  common_json inner = common_json::object();
  inner["name"] = rewrite(function.value("name", ""));
  inner["description"] = rewrite(function.value("description", ""));
  inner["parameters"] =
      rewritten(function.contains("parameters") ? function.at("parameters") : common_json::object(),
                rewrite);
  common_json tool = common_json::object();
  tool["type"] = "function";
  tool["function"] = inner;
  return tool;
}

std::string formatted(std::time_t now, const char* format) {
  char text[64];
  const size_t length = std::strftime(text, sizeof text, format, std::localtime(&now));
  return {text, length};
}

}  // namespace

Conversation prepare(const ChatRequest& request, const common_chat_template& compiled,
                     const Rewrite& rewrite) {
  Conversation conversation;
  conversation.messages = common_json::array();
  for (const common_json& message : common_json::parse(request.messages))
    conversation.messages.push_back(message_of(message, compiled, rewrite));
  if (!compiled.caps.supports_system_role) merge_system(conversation.messages);

  conversation.tools = common_json::array();
  for (const common_json& tool : common_json::parse(request.tools))
    conversation.tools.push_back(tool_of(tool, rewrite));

  // What llama.cpp tells every template besides.
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
