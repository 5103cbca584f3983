#include "core/chat/system_messages.h"

#include <algorithm>
#include <utility>

#include "core/chat/message_content.h"

namespace cria::system_messages {

namespace {

using message_content::parts_of;
using message_content::text_of;

bool is_one(const common_json& message) {
  const std::string role = message.value("role", "");
  return role == "system" || role == "developer";
}

// As the content that it takes the place of.
common_json like(const common_json& content, const std::string& text) {
  return content.is_array() ? parts_of(common_json(text)) : common_json(text);
}

}  // namespace

bool scattered(const common_json& messages) {
  bool behind = false;
  bool any_text = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!is_one(messages.at(i))) continue;
    behind = behind || i > 0;  // an empty one, too, may be the one that is shown
    any_text = any_text || !text_of(messages.at(i).at("content")).empty();
  }
  return behind && any_text;
}

bool Marked::all_in(const std::string& rendered) const {
  return std::all_of(marks.begin(), marks.end(), [&](const std::string& mark) {
    return rendered.find(mark) != std::string::npos;
  });
}

Marked marked(const common_json& messages) {
  Marked result{common_json::array(), {}};
  for (common_json message : messages) {
    if (is_one(message) && !text_of(message.at("content")).empty()) {
      // Ends with what no number of another begins with.
      result.marks.push_back("criasystem" + std::to_string(result.marks.size()) + "mark");
      message["content"] = like(message.at("content"), result.marks.back());
    }
    result.messages.push_back(std::move(message));
  }
  return result;
}

common_json gathered(const common_json& messages) {
  common_json first = common_json::object();
  common_json others = common_json::array();
  std::string text;
  for (const common_json& message : messages) {
    if (!is_one(message)) {
      others.push_back(message);
      continue;
    }
    const std::string own = text_of(message.at("content"));
    if (!text.empty() && !own.empty()) text += "\n\n";
    text += own;
    if (first.empty()) first = message;
  }
  first["content"] = like(first.at("content"), text);
  common_json all = common_json::array();
  all.push_back(std::move(first));
  all.insert(others);
  return all;
}

void merge(common_json& messages) {
  if (messages.size() < 2 || messages.front().value("role", "") != "system") return;
  common_json& next = messages.at(1);
  const common_json& system = messages.front().at("content");
  if (system.is_array() && next.at("content").is_array()) {
    common_json both = system;
    both.insert(next.at("content"));
    next["content"] = both;
  } else {
    next["content"] = text_of(system) + "\n" + text_of(next.at("content"));
  }
  messages.erase(size_t{0});
}

}  // namespace cria::system_messages
