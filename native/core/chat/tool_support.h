// What a template shows of tools, found out by rendering, and what is written out for it where it
// shows nothing: tools without a place would be lost in silence.
#pragma once

#include <chat.h>
#include <json.h>

namespace cria::tool_support {

struct Support {
  bool tools = false;         // their names are in the prompt
  bool calls = false;         // of the assistant's
  bool parallel = false;      // more than one in a message
  bool results = false;       // messages of the role `tool`
  bool null_content = false;  // a call may stand beside a content that is null
};

// To be called within template_program::run().
Support probe(const common_chat_template& compiled);

// The marks around a call that is written out.
inline constexpr const char* kCallBegin = "<tool_call>";
inline constexpr const char* kCallEnd = "</tool_call>";

// OpenAI's messages with everything written out that `support` lacks, in texts that docs/chat.md
// describes: tools in the system message, calls in the assistant's, results in the user's. Where a
// message can have only one call, several become messages of their own, each with its result.
common_json written_out(const common_json& messages, const common_json& tools,
                        const Support& support);

}  // namespace cria::tool_support
