#include "core/chat/answer_mapper.h"

#include <chat-peg-parser.h>
#include <json.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace cria {

namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return std::string(text);
}

std::string quoted(std::string_view text) { return common_json(std::string(text)).dump(); }

std::string escaped(std::string_view text) {
  const std::string json = quoted(text);
  return json.substr(1, json.size() - 2);
}

// Values as Python writes them, made JSON by llama.cpp's own mapper.
class ValueMapper : public common_chat_peg_mapper {
 public:
  using common_chat_peg_mapper::common_chat_peg_mapper;
  using common_chat_peg_mapper::normalize_container_value;
};

}  // namespace

AnswerMapper::AnswerMapper(common_chat_format format) : format_(format) {}

std::vector<AnswerEvent> AnswerMapper::take() { return std::exchange(events_, {}); }

void AnswerMapper::feed(const MarkEvent& event, std::string_view text) {
  switch (event.kind) {
    case MarkEvent::Kind::kOpen:
      opened(event.mark);
      break;
    case MarkEvent::Kind::kClose:
      closed(event.mark);
      break;
    case MarkEvent::Kind::kText:
      took(event.mark, text, event.to - text.size());
      break;
  }
}

void AnswerMapper::opened(Mark mark) {
  switch (mark) {
    case Mark::kToolOpen:
      begin_call();
      break;
    case Mark::kToolArguments:
      raw_ = Raw::kUnknown;
      break;
    case Mark::kArgumentName:
      key_.clear();
      break;
    case Mark::kArgumentValue:
      value_.clear();
      break;
    case Mark::kArgumentString:
      if (!quoted_) write("\"");
      quoted_ = true;
      break;
    case Mark::kArgumentObject:
    case Mark::kGemmaDict:
      separate();
      begin_container('{', '}');
      break;
    case Mark::kArgumentArray:
    case Mark::kGemmaArray:
      separate();
      begin_container('[', ']');
      break;
    case Mark::kGemmaString:
      separate();
      write("\"");
      break;
    case Mark::kGemmaScalar:
      separate();
      value_.clear();
      break;
    case Mark::kGemmaKey:
      if (!containers_.empty() && !std::exchange(containers_.back().empty, false)) write(",");
      write("\"");
      break;
    default:
      break;
  }
}

void AnswerMapper::closed(Mark mark) {
  const bool minimax = format_ == COMMON_CHAT_FORMAT_PEG_MINIMAX_M3;
  switch (mark) {
    case Mark::kToolName:
      name_ = trimmed(name_);
      named_ = true;
      ++calls_;
      add(AnswerEvent::Kind::kCall, name_);
      if (!arguments_.empty()) add(AnswerEvent::Kind::kArguments, arguments_);
      break;
    case Mark::kArgumentName:
      if (containers_.empty()) begin_container('{', '}');
      if (!std::exchange(containers_.back().empty, false)) write(",");
      write(quoted(minimax ? key_ : trimmed(key_)) + ":");
      break;
    case Mark::kArgumentValue:
      separate();
      write(json_of(value_));
      break;
    case Mark::kArgumentString:
      if (minimax) write("\"");
      if (minimax) quoted_ = false;
      break;
    case Mark::kArgumentClose:
      if (quoted_) write("\"");
      quoted_ = false;
      break;
    case Mark::kArgumentObject:
    case Mark::kArgumentArray:
    case Mark::kGemmaDict:
    case Mark::kGemmaArray:
      end_container();
      break;
    case Mark::kGemmaString:
      write("\"");
      break;
    case Mark::kGemmaScalar:
      write(value_);
      break;
    case Mark::kGemmaKey:
      write("\":");
      break;
    case Mark::kToolClose:
    case Mark::kTool:
    case Mark::kCalls:
      if (named_) end_call(false, "");
      began_ = false;
      break;
    default:
      break;
  }
}

void AnswerMapper::took(Mark mark, std::string_view text, size_t from) {
  if (raw_ == Raw::kUnknown && mark != Mark::kToolArguments) raw_ = Raw::kNo;
  switch (mark) {
    case Mark::kContent:
      add_text(text);
      break;
    case Mark::kReasoning:
      add_reasoning(text, from);
      break;
    case Mark::kToolName:
      name_ += text;
      break;
    case Mark::kToolArguments:
      write_raw(text);
      break;
    case Mark::kArgumentName:
      key_ += text;
      break;
    case Mark::kArgumentValue:
    case Mark::kGemmaScalar:
      value_ += text;
      break;
    case Mark::kArgumentString:
    case Mark::kGemmaStringText:
    case Mark::kGemmaKeyName:
      write(escaped(text));
      break;
    default:
      break;
  }
}

void AnswerMapper::begin_call() {
  if (named_) end_call(false, "");
  began_ = true;
  name_.clear();
  arguments_.clear();
  spaces_.clear();
  raw_ = Raw::kNo;
  quoted_ = false;
  containers_.clear();
}

void AnswerMapper::end_call(bool broken, std::string source) {
  if (!broken) {
    if (quoted_) write("\"");
    if (arguments_.empty()) begin_container('{', '}');
    while (!containers_.empty())
      end_container();
  }
  events_.push_back({AnswerEvent::Kind::kCallEnd, std::move(source), 0, 0, broken});
  named_ = false;
  began_ = false;
}

void AnswerMapper::write(std::string_view json) {
  if (!began_) return;
  arguments_ += json;
  if (named_) add(AnswerEvent::Kind::kArguments, json);
}

// Arguments that are JSON already. In other formats they are a sequence of tags.
void AnswerMapper::write_raw(std::string_view json) {
  if (format_ == COMMON_CHAT_FORMAT_PEG_GEMMA4 || json.empty()) return;
  if (raw_ == Raw::kUnknown) {
    constexpr std::string_view kBegins = "{[\"-0123456789";
    raw_ = kBegins.find(json.front()) == std::string_view::npos ? Raw::kNo : Raw::kYes;
  }
  if (raw_ == Raw::kNo) return;
  size_t end = json.size();
  while (end > 0 && is_space(json[end - 1]))
    --end;
  if (end > 0) {
    write(spaces_);
    spaces_.clear();
    write(json.substr(0, end));
  }
  spaces_ += json.substr(end);
}

void AnswerMapper::begin_container(char begin, char end) {
  containers_.push_back({end});
  write(std::string_view(&begin, 1));
}

void AnswerMapper::end_container() {
  if (containers_.empty()) return;
  const char end = containers_.back().end;
  containers_.pop_back();
  write(std::string_view(&end, 1));
}

// In front of an element of an array. A member of an object has its comma in front of its key.
void AnswerMapper::separate() {
  if (containers_.empty() || containers_.back().end != ']') return;
  if (!std::exchange(containers_.back().empty, false)) write(",");
}

std::string AnswerMapper::json_of(const std::string& value) {
  if (format_ == COMMON_CHAT_FORMAT_PEG_MINIMAX_M3) return value;
  common_chat_msg message;
  return ValueMapper(message).normalize_container_value(value);
}

// White space between thoughts and the answer belongs to neither.
void AnswerMapper::add_text(std::string_view text) {
  if (thought_ && !said_) {
    const auto begin = std::find_if_not(text.begin(), text.end(), is_space);
    text.remove_prefix(static_cast<size_t>(begin - text.begin()));
  }
  said_ = said_ || !text.empty();
  add(AnswerEvent::Kind::kText, text);
}

// Thoughts that are only white space are none: templates write them where a model is not to think.
void AnswerMapper::add_reasoning(std::string_view text, size_t from) {
  const size_t to = from + text.size();
  if (!thought_) {
    blank_ += text;
    if (std::all_of(text.begin(), text.end(), is_space)) return;
    thought_ = true;
    from = to - std::min(to, blank_.size());
    text = blank_;
  }
  AnswerEvent* last = events_.empty() ? nullptr : &events_.back();
  if (last != nullptr && last->kind == AnswerEvent::Kind::kReasoning && last->to == from) {
    last->text += text;
    last->to = to;
  } else {
    events_.push_back({AnswerEvent::Kind::kReasoning, std::string(text), from, to});
  }
}

void AnswerMapper::add(AnswerEvent::Kind kind, std::string_view text) {
  if (text.empty()) return;
  const bool joins =
      kind != AnswerEvent::Kind::kCall && !events_.empty() && events_.back().kind == kind;
  if (joins) events_.back().text += text;
  if (!joins) events_.push_back({kind, std::string(text)});
}

}  // namespace cria
