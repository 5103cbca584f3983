// Adapts a conversation in OpenAI's format to what a template can render.
#pragma once

#include <chat.h>
#include <json.h>

#include <functional>
#include <string>

#include "core/chat/chat_template.h"
#include "core/chat/tool_support.h"

namespace cria::chat_messages {

using Rewrite = std::function<std::string(const std::string&)>;

// What a template is rendered with. Every text of the request, keys included, has gone through
// `rewrite`; roles have not.
struct Conversation {
  common_json messages;
  common_json tools;  // none if they are described in a message
  common_json variables;
};

// Throws a std::exception if the messages lack something that the template needs.
Conversation prepare(const ChatRequest& request, const common_chat_template& compiled,
                     const tool_support::Support& support, const Rewrite& rewrite);

// For llama.cpp's own handlers of templates, which parse results of tools, too: what would nest too
// deep for them is emptied.
void drop_nested_results(common_json& messages);

}  // namespace cria::chat_messages
