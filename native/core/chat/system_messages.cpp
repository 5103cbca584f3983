#include "core/chat/system_messages.h"

#include <algorithm>
#include <random>
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

common_json in_front(const std::string& text, const common_json& content) {
  if (!content.is_array()) return common_json(text + text_of(content));
  common_json both = parts_of(common_json(text));
  both.insert(content);
  return both;
}

std::string padded(size_t number, size_t length) {
  std::string digits = std::to_string(number);
  return digits.insert(0, length - std::min(length, digits.size()), '0');
}

// The texts of all that stand among the first messages, with an empty line between two.
std::string joined(const common_json& messages, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    if (!is_one(messages.at(i))) continue;
    const std::string own = text_of(messages.at(i).at("content"));
    if (!text.empty() && !own.empty()) text += "\n\n";
    text += own;
  }
  return text;
}

// Digits, which no filter of a template changes, and which nobody who writes a message can know.
std::string random_digits() {
  constexpr size_t kParts = 4;
  constexpr size_t kLength = 10;  // of the largest number
  std::random_device device;
  std::string digits;
  for (size_t i = 0; i < kParts; ++i)
    digits += padded(device(), kLength);
  return digits;
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
  constexpr size_t kLength = 20;
  Marked result{common_json::array(), {}};
  const std::string random = random_digits();
  for (common_json message : messages) {
    if (is_one(message) && !text_of(message.at("content")).empty()) {
      // All of one length, so that none is found in two that stand beside each other.
      result.marks.push_back(random + padded(result.marks.size(), kLength));
      message["content"] = like(message.at("content"), result.marks.back());
    }
    result.messages.push_back(std::move(message));
  }
  return result;
}

common_json gathered(const common_json& messages) {
  common_json first = common_json::object();
  common_json others = common_json::array();
  for (const common_json& message : messages) {
    if (!is_one(message)) {
      others.push_back(message);
    } else if (first.empty()) {
      first = message;
    }
  }
  const std::string text = joined(messages, messages.size());
  first["content"] = like(first.at("content"), text);
  common_json all = common_json::array();
  all.push_back(std::move(first));
  all.insert(others);
  return all;
}

void merge(common_json& messages) {
  size_t count = 0;
  while (count < messages.size() && is_one(messages.at(count)))
    ++count;
  if (count == 0) return;
  const std::string text = joined(messages, count);
  common_json all = common_json::array();
  const bool asks = count < messages.size() && messages.at(count).value("role", "") == "user";
  if (!asks && !text.empty()) {  // what an assistant did not say is not put into its mouth
    common_json own = common_json::object();
    own["role"] = "user";
    own["content"] = like(messages.front().at("content"), text);
    all.push_back(std::move(own));
  }
  for (size_t i = count; i < messages.size(); ++i) {
    common_json message = messages.at(i);
    if (i == count && asks && !text.empty()) {
      message["content"] = in_front(text + "\n", message.at("content"));
    }
    all.push_back(std::move(message));
  }
  if (!all.empty()) messages = std::move(all);
}

}  // namespace cria::system_messages
