// What llama.cpp's analysis of a template gets wrong about the calls of single models, mended in
// the parser and the grammar that it made.
#pragma once

#include <chat-auto-parser.h>
#include <chat.h>

namespace cria::parser_repairs {

// `parallel`: whether one answer may have several calls.
void repair(common_chat_params& made, const autoparser::autoparser& analysis, bool parallel);

}  // namespace cria::parser_repairs
