#include "core/chat/parser_repairs.h"

#include <json.h>

#include <string>
#include <string_view>

namespace cria::parser_repairs {

namespace {

using autoparser::tool_format;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

bool is_literal(const common_json& parser, const std::string& text) {
  return parser.value("type", "") == "literal" && parser.value("literal", "") == text;
}

common_json parser_of(const char* type) {
  common_json parser = common_json::object();
  parser["type"] = type;
  return parser;
}

// MiniMax M2 writes white space between two calls, where the analysis supposes a comma.
void allow_spaces(common_json& parsers, std::string& grammar) {
  for (size_t i = 0; i < parsers.size(); ++i) {
    if (is_literal(parsers.at(i), ", ")) parsers.at(i) = parser_of("space");
  }
  replace_all(grammar, "(\", \" (", "(space (");
}

// MiniMax M1 writes a line for each call, and no comma. The comma between two calls stands in a
// sequence of four: space, comma, space, call.
void allow_missing_commas(common_json& parsers, std::string& grammar) {
  const size_t count = parsers.size();
  for (size_t i = 0; i < count; ++i) {
    const common_json sequence = parsers.at(i);
    if (sequence.value("type", "") != "sequence" || sequence.at("children").size() != 4) continue;
    const size_t comma = sequence.at("children").at(1).get<size_t>();
    if (!is_literal(parsers.at(comma), ",")) continue;
    common_json optional = parser_of("repetition");
    optional["child"] = parsers.size();
    optional["min_count"] = 0;
    optional["max_count"] = 1;
    parsers.push_back(parser_of("literal"));
    parsers.at(parsers.size() - 1)["literal"] = ",";
    parsers.at(comma) = optional;
  }
  replace_all(grammar, "(space \",\" space (", "(space \",\"? space (");
}

// Solar writes an id in front of the name. The analysis takes the id of its own probe for a mark.
void allow_ids(common_json& parsers, std::string& grammar) {
  const std::string id = "call00001";
  const size_t count = parsers.size();
  for (size_t i = 0; i < count; ++i) {
    const std::string text =
        parsers.at(i).value("type", "") == "literal" ? parsers.at(i).value("literal", "") : "";
    if (text.compare(0, id.size(), id) != 0) continue;
    const std::string mark = text.substr(id.size());
    if (mark.empty()) continue;
    common_json until = parser_of("until");
    until["delimiters"] = common_json::array();
    until["delimiters"].push_back(mark);
    common_json literal = parser_of("literal");
    literal["literal"] = mark;
    common_json sequence = parser_of("sequence");
    sequence["children"] = common_json::array();
    sequence["children"].push_back(parsers.size());
    sequence["children"].push_back(parsers.size() + 1);
    parsers.push_back(until);
    parsers.push_back(literal);
    parsers.at(i) = sequence;
  }
  replace_all(grammar, "\"" + id, "[a-zA-Z0-9_-]+ \"");
}

// Where each call has marks of its own, the analysis allows several whatever was asked for. The
// parser may go on taking them.
void allow_one_call(std::string& grammar) {
  replace_all(grammar, "tool-calls ::= (tool-call space)+", "tool-calls ::= tool-call space");
}

}  // namespace

void repair(common_chat_params& made, const autoparser::autoparser& analysis, bool parallel) {
  const autoparser::tool_format_analysis& format = analysis.tools.format;
  if (format.mode == tool_format::NONE || made.parser.empty()) return;
  common_json arena = common_json::parse(made.parser);
  common_json& parsers = arena["parsers"];
  const bool joined = format.per_call_start.empty();
  if (format.mode != tool_format::JSON_NATIVE && joined) allow_spaces(parsers, made.grammar);
  if (format.mode == tool_format::JSON_NATIVE && !format.tools_array_wrapped) {
    allow_missing_commas(parsers, made.grammar);
  }
  allow_ids(parsers, made.grammar);
  if (!parallel) allow_one_call(made.grammar);
  made.parser = arena.dump();
}

}  // namespace cria::parser_repairs
