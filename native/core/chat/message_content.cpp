#include "core/chat/message_content.h"

namespace cria::message_content {

std::string text_of(const common_json& content) {
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

}  // namespace cria::message_content
