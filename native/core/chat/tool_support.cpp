#include "core/chat/tool_support.h"

#include <chat-auto-parser.h>

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "core/chat/chat_messages.h"
#include "core/chat/chat_template.h"
#include "core/chat/template_checks.h"

namespace cria::tool_support {

namespace {

constexpr const char* kProbe = "probe_8c41";
constexpr const char* kValue = "value_77aa";
constexpr const char* kSecond = "second_3b9d";
constexpr const char* kResult = "outcome_52e7";

constexpr const char* kQuestion = R"({"role": "user", "content": "Please."})";
constexpr const char* kCall =
    R"({"role": "assistant", "content": null, "tool_calls": [{"id": "call00001", )"
    R"("type": "function", "function": {"name": "probe_8c41", "arguments": "{\"text\": \"value_77aa\"}"}}]})";
constexpr const char* kCalls =
    R"({"role": "assistant", "content": null, "tool_calls": [{"id": "call00001", )"
    R"("type": "function", "function": {"name": "probe_8c41", "arguments": "{\"text\": \"x\"}"}}, )"
    R"({"id": "call00002", "type": "function", )"
    R"("function": {"name": "second_3b9d", "arguments": "{\"text\": \"x\"}"}}]})";
constexpr const char* kAnswer =
    R"({"role": "tool", "tool_call_id": "call00001", "name": "probe_8c41", )"
    R"("content": "outcome_52e7"})";
constexpr const char* kTool =
    R"({"type": "function", "function": {"name": "probe_8c41", "description": "Probes.", )"
    R"("parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}})";

std::string list(std::initializer_list<const char*> elements) {
  std::string json = "[";
  for (const char* element : elements)
    json += (json.size() > 1 ? "," : "") + std::string(element);
  return json + "]";
}

// What the template makes of it; nothing if it refuses.
std::string rendered(const common_chat_template& compiled, std::string messages, bool tools,
                     const Support& support) {
  ChatRequest request;
  request.messages = std::move(messages);
  request.tools = tools ? list({kTool}) : "[]";
  request.variables = "{}";
  const auto as_is = [](const std::string& text) { return text; };
  chat_messages::Conversation conversation =
      chat_messages::prepare(request, compiled, support, as_is);
  autoparser::generation_params params;
  params.messages = std::move(conversation.messages);
  if (!conversation.tools.empty()) params.tools = std::move(conversation.tools);
  params.extra_context = conversation.variables;
  try {
    return common_chat_template_direct_apply(compiled, params);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    template_program::check_budget();
    return "";
  }
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

bool has_call(const std::string& text) { return has(text, kProbe) || has(text, kValue); }

constexpr const char* kIntroduction =
    "You can call functions. To call one, write its name and its arguments as JSON between "
    "<tool_call> and </tool_call>, at the end of your answer:\n"
    "<tool_call>\n{\"name\": \"function_name\", \"arguments\": {\"argument\": \"value\"}}\n"
    "</tool_call>\n"
    "You are then given the result between <tool_response> and </tool_response>. These are the "
    "functions, each with a JSON Schema of its arguments:\n";

std::string description_of(const common_json& tools) {
  std::string text = kIntroduction;
  for (const common_json& tool : tools)
    text += tool.at("function").dump() + "\n";
  text.pop_back();
  return text;
}

std::string text_of(const common_json& message) {
  if (!message.contains("content") || !message.at("content").is_string()) return "";
  return message.at("content").get<std::string>();
}

std::string call_text(const common_json& call) {
  const common_json& function = call.at("function");
  const common_json& given = function.at("arguments");
  return std::string(kCallBegin) +
         "\n{\"name\": " + common_json(function.value("name", "")).dump() +
         ", \"arguments\": " + (given.is_string() ? given.get<std::string>() : given.dump()) +
         "}\n" + kCallEnd;
}

void write_calls(common_json& message) {
  if (!message.contains("tool_calls")) return;
  std::string text = text_of(message);
  for (const common_json& call : message.at("tool_calls"))
    text += (text.empty() ? "" : "\n") + call_text(call);
  message["content"] = text;
  message.erase("tool_calls");
}

void add_system(common_json& messages, const std::string& text) {
  if (!messages.empty() && messages.front().value("role", "") == "system") {
    common_json& first = messages.front();
    const std::string before = text_of(first);
    first["content"] = before.empty() ? text : before + "\n\n" + text;
    return;
  }
  common_json system = common_json::object();
  system["role"] = "system";
  system["content"] = text;
  common_json all = common_json::array();
  all.push_back(system);
  all.insert(messages);
  messages = all;
}

}  // namespace

Support probe(const common_chat_template& compiled) {
  Support support{true, true, true, true, true};
  const auto shown = [&](std::initializer_list<const char*> messages, bool tools) {
    return rendered(compiled, list(messages), tools, support);
  };
  support.tools = has(shown({kQuestion}, true), kProbe);
  // Other templates print a null, or fail on it.
  const std::string silent = shown({kQuestion, kCall}, false);
  support.null_content = has_call(silent) && !has(silent, "None") && !has(silent, "null") &&
                         has_call(shown({kQuestion, kCall, kAnswer}, false));
  support.calls = has_call(shown({kQuestion, kCall}, false));
  support.results = support.calls && has(shown({kQuestion, kCall, kAnswer}, false), kResult);
  support.parallel = !support.calls || has(shown({kQuestion, kCalls}, support.tools), kSecond);
  return support;
}

namespace {

// The calls of messages[at] one by one, each with its result. Returns the place behind them.
size_t add_one_by_one(const common_json& messages, size_t at, common_json& written) {
  const common_json& calls = messages.at(at).at("tool_calls");
  size_t end = at + 1;
  while (end < messages.size() && messages.at(end).value("role", "") == "tool")
    ++end;
  for (size_t i = 0; i < calls.size(); ++i) {
    common_json message = messages.at(at);
    if (i > 0) message["content"] = nullptr;
    message["tool_calls"] = common_json::array();
    message["tool_calls"].push_back(calls.at(i));
    written.push_back(message);
    for (size_t result = at + 1; result < end; ++result) {
      const std::string id = messages.at(result).value("tool_call_id", "");
      if (id == calls.at(i).value("id", "")) written.push_back(messages.at(result));
    }
  }
  return end;
}

common_json one_by_one(const common_json& messages) {
  common_json written = common_json::array();
  for (size_t at = 0; at < messages.size();) {
    const common_json& message = messages.at(at);
    if (message.contains("tool_calls") && message.at("tool_calls").size() > 1) {
      at = add_one_by_one(messages, at, written);
    } else {
      written.push_back(message);
      ++at;
    }
  }
  return written;
}

}  // namespace

common_json written_out(const common_json& given, const common_json& tools,
                        const Support& support) {
  const bool describes = !tools.empty() && !support.tools;
  const bool calls = describes || !support.calls;
  const common_json messages = calls || support.parallel ? given : one_by_one(given);
  const bool results = calls || !support.results;
  common_json written = common_json::array();
  bool answering = false;
  for (common_json message : messages) {
    const bool result = results && message.value("role", "") == "tool";
    if (calls) write_calls(message);
    if (result) {
      const std::string text = "<tool_response>\n" + text_of(message) + "\n</tool_response>";
      if (answering) {
        common_json& before = written.at(written.size() - 1);
        before["content"] = text_of(before) + "\n" + text;
        continue;
      }
      message = common_json::object();
      message["role"] = "user";
      message["content"] = text;
    }
    answering = result;
    written.push_back(message);
  }
  if (describes) add_system(written, description_of(tools));
  return written;
}

}  // namespace cria::tool_support
