// A conversation in OpenAI's shapes, changed to what a template can render. Of the seam.
#pragma once

#include <chat.h>
#include <json.h>

#include <functional>
#include <string>

#include "core/chat/chat_template.h"

namespace cria::chat_messages {

using Rewrite = std::function<std::string(const std::string&)>;

// What a template is rendered with. Every text that came with the request, keys too, goes through
// `rewrite`; roles do not.
struct Conversation {
  common_json messages;
  common_json tools;
  common_json variables;
};

// Throws std::exception where the template needs what the messages do not have.
Conversation prepare(const ChatRequest& request, const common_chat_template& compiled,
                     const Rewrite& rewrite);

}  // namespace cria::chat_messages
