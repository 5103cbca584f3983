// The content of a message in OpenAI's format: a text, or a list of parts.
#pragma once

#include <json.h>

#include <string>

namespace cria::message_content {

// The text itself, or those of its parts, a line each.
std::string text_of(const common_json& content);

// The parts themselves, or the text as the only one.
common_json parts_of(const common_json& content);

}  // namespace cria::message_content
