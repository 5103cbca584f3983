// Some templates show the first system message alone, or the last, and leave others out without a
// word.
#pragma once

#include <json.h>

#include <string>
#include <vector>

namespace cria::system_messages {

// Whether there is one behind the first message.
bool scattered(const common_json& messages);

// The same conversation with a mark in place of each of their texts: whether a template shows a
// text cannot be told from the text itself, which it may write in another way.
struct Marked {
  common_json messages;
  std::vector<std::string> marks;

  bool all_in(const std::string& rendered) const;
};
Marked marked(const common_json& messages);

// All of them as one message in front of the others, in their order, with an empty line between
// two.
common_json gathered(const common_json& messages);

// For templates that show none: what those in front say goes in front of the user's words behind
// them, or into a message of the user's where an assistant speaks first.
void merge(common_json& messages);

}  // namespace cria::system_messages
