#include "core/chat/peg_machine.h"

#include <chat-peg-parser.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/chat/template_checks.h"
#include "core/model/utf8.h"

namespace cria {

namespace {

using Builder = common_chat_peg_builder;

// As deep as a text may nest what the parser reads. No arguments of a tool go so far.
constexpr size_t kDeepest = 20000;

uint32_t code_point(const std::string& text, size_t pos, size_t length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  if (length == 1) return byte(0);
  uint32_t value = byte(0) & (0xFFU >> (length + 1));
  for (size_t i = 1; i < length; ++i)
    value = value << 6 | (byte(i) & 0x3FU);
  return value;
}

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

Mark mark_of_tag(const std::string& tag) {
  using Mapper = common_chat_peg_minimax_m3_mapper;
  static const std::map<std::string, Mark> kMarks = {
      {Builder::CONTENT, Mark::kContent},
      {Builder::REASONING, Mark::kReasoning},
      {Builder::TOOL, Mark::kTool},
      {Builder::TOOL_OPEN, Mark::kToolOpen},
      {Builder::TOOL_CLOSE, Mark::kToolClose},
      {Builder::TOOL_ID, Mark::kOther},
      {Builder::TOOL_NAME, Mark::kToolName},
      {Builder::TOOL_ARGS, Mark::kToolArguments},
      {Builder::TOOL_ARG, Mark::kArgument},
      {Builder::TOOL_ARG_OPEN, Mark::kArgumentOpen},
      {Builder::TOOL_ARG_CLOSE, Mark::kArgumentClose},
      {Builder::TOOL_ARG_NAME, Mark::kArgumentName},
      {Builder::TOOL_ARG_VALUE, Mark::kArgumentValue},
      {Builder::TOOL_ARG_STRING_VALUE, Mark::kArgumentString},
      {Mapper::TOOL_ARG_OBJECT, Mark::kArgumentObject},
      {Mapper::TOOL_ARG_ARRAY, Mark::kArgumentArray},
      {Mapper::TOOL_ARG_ITEM, Mark::kArgumentItem},
  };
  const auto found = kMarks.find(tag);
  return found == kMarks.end() ? Mark::kNone : found->second;
}

// The rules that common_chat_peg_gemma4_mapper looks for.
Mark mark_of_rule(const common_peg_rule_parser& rule) {
  static const std::map<std::string, Mark> kMarks = {
      {"gemma4-string", Mark::kGemmaString}, {"gemma4-string-content", Mark::kGemmaStringText},
      {"gemma4-number", Mark::kGemmaScalar}, {"gemma4-bool", Mark::kGemmaScalar},
      {"gemma4-null", Mark::kGemmaScalar},   {"gemma4-array", Mark::kGemmaArray},
      {"gemma4-dict", Mark::kGemmaDict},     {"gemma4-dict-key", Mark::kGemmaKey},
      {"gemma4-dict-kv", Mark::kGemmaPair},  {"gemma4-dict-key-name", Mark::kGemmaKeyName},
      {"gemma4-value", Mark::kGemmaValue},
  };
  if (rule.trigger) return Mark::kCalls;
  const auto found = kMarks.find(rule.name);
  return found == kMarks.end() ? Mark::kNone : found->second;
}

bool takes_text(Mark mark) {
  switch (mark) {
    case Mark::kContent:
    case Mark::kReasoning:
    case Mark::kToolName:
    case Mark::kToolArguments:
    case Mark::kArgumentOpen:
    case Mark::kArgumentClose:
    case Mark::kArgumentName:
    case Mark::kArgumentValue:
    case Mark::kArgumentString:
    case Mark::kGemmaString:
    case Mark::kGemmaStringText:
    case Mark::kGemmaScalar:
    case Mark::kGemmaKeyName:
    case Mark::kOther:
      return true;
    default:
      return false;
  }
}

bool is_call(Mark mark) {
  return mark == Mark::kCalls || mark == Mark::kTool || mark == Mark::kToolOpen;
}

bool same(const MarkEvent& a, const MarkEvent& b) {
  return a.kind == b.kind && a.mark == b.mark && a.from == b.from;
}

}  // namespace

Mark PegMachine::mark_of(const common_peg_parser_variant& parser) {
  if (const auto* tag = std::get_if<common_peg_tag_parser>(&parser)) return mark_of_tag(tag->tag);
  if (const auto* rule = std::get_if<common_peg_rule_parser>(&parser)) return mark_of_rule(*rule);
  return Mark::kNone;
}

PegMachine::PegMachine(common_peg_arena arena) : arena_(std::move(arena)) {
  mark_of_.reserve(arena_.size());
  for (size_t id = 0; id < arena_.size(); ++id)
    mark_of_.push_back(mark_of(arena_.get(id)));
  call(arena_.root(), 0);
}

bool PegMachine::reasons() const {
  return std::find(mark_of_.begin(), mark_of_.end(), Mark::kReasoning) != mark_of_.end();
}

void PegMachine::push(std::string_view text) {
  input_ += text;
  run();
}

void PegMachine::finish() {
  ended_ = true;
  run();
  if (state_ == State::kOpen) tell_open();
}

// What is open when the text ends counts as it is, but for what atomic parsers had begun.
void PegMachine::tell_open() {
  const auto quiet = std::find_if(stack_.begin(), stack_.end(),
                                  [&](const Frame& frame) { return is_quiet(frame); });
  tellable_ = quiet == stack_.end() ? events_.size() : quiet->events;
  if (!agrees() || agreed_ < told_.size()) state_ = State::kFailed;
}

bool PegMachine::is_quiet(const Frame& frame) const {
  const common_peg_parser_variant& parser = arena_.get(frame.id);
  return std::holds_alternative<common_peg_atomic_parser>(parser) ||
         std::holds_alternative<common_peg_and_parser>(parser) ||
         std::holds_alternative<common_peg_not_parser>(parser);
}

// Parsers that only hand on to another one need no frame.
common_peg_parser_id PegMachine::resolved(common_peg_parser_id id) const {
  while (true) {
    const common_peg_parser_variant& parser = arena_.get(id);
    if (const auto* ref = std::get_if<common_peg_ref_parser>(&parser)) {
      id = arena_.get_rule(ref->name);
    } else if (const auto* schema = std::get_if<common_peg_schema_parser>(&parser)) {
      id = schema->child;
    } else if (const auto* gbnf = std::get_if<common_peg_gbnf_parser>(&parser)) {
      id = gbnf->child;
    } else if (const auto* ac = std::get_if<common_peg_ac_parser>(&parser)) {
      id = ac->child;
    } else if (mark_of_[id] != Mark::kNone) {
      return id;
    } else if (const auto* rule = std::get_if<common_peg_rule_parser>(&parser)) {
      id = rule->child;
    } else if (const auto* tag = std::get_if<common_peg_tag_parser>(&parser)) {
      id = tag->child;
    } else {
      return id;
    }
  }
}

void PegMachine::call(common_peg_parser_id id, size_t start) {
  if (stack_.size() > kDeepest) state_ = State::kFailed;
  id = resolved(id);
  const size_t last_end = events_.empty() ? 0 : events_.back().to;
  stack_.push_back({id, start, start, 0, events_.size(), last_end, marks_.size(), calls_, named_});
  const common_peg_parser_variant& parser = arena_.get(id);
  if (mark_of_[id] != Mark::kNone) open(mark_of_[id], start);
  if (std::holds_alternative<common_peg_atomic_parser>(parser)) ++atomic_;
  if (std::holds_alternative<common_peg_and_parser>(parser) ||
      std::holds_alternative<common_peg_not_parser>(parser)) {
    ++looking_;
  }
}

// One step of the innermost parser. `returned`: the result of the one that it called.
struct PegMachine::Stepper {
  PegMachine& machine;
  Frame& frame;
  const Result* returned;
  // What it decides.
  common_peg_parser_id child = COMMON_PEG_INVALID_PARSER_ID;
  size_t child_start = 0;
  Result result{false, 0};

  const std::string& input() const { return machine.input_; }
  size_t size() const { return machine.input_.size(); }

  Step accept(size_t end) {
    result = {true, end};
    return Step::kReturn;
  }
  Step fail() {
    result = {false, frame.start};
    return Step::kReturn;
  }
  Step go_to(common_peg_parser_id id, size_t start) {
    child = id;
    child_start = start;
    return Step::kCall;
  }
  // The text goes on, or has ended too early.
  Step wait() {
    if (machine.ended_) machine.state_ = State::kOpen;
    return Step::kWait;
  }
  void advance(size_t to) {
    if (to > frame.pos) machine.text(frame.pos, to);
    frame.pos = to;
  }
  Step accept_text(size_t end) {
    advance(end);
    return accept(end);
  }

  Step operator()(const common_peg_epsilon_parser&) { return accept(frame.start); }
  Step operator()(const common_peg_start_parser&) {
    return frame.start == 0 ? accept(frame.start) : fail();
  }
  Step operator()(const common_peg_end_parser&) {
    if (frame.start < size()) return fail();
    return machine.ended_ ? accept(frame.start) : wait();
  }

  Step operator()(const common_peg_literal_parser& p) {
    const size_t there = std::min(size() - frame.start, p.literal.size());
    if (input().compare(frame.start, there, p.literal, 0, there) != 0) return fail();
    return there == p.literal.size() ? accept_text(frame.start + there) : wait();
  }

  Step operator()(const common_peg_sequence_parser& p) {
    if (returned != nullptr) {
      if (!returned->success) return fail();
      frame.pos = returned->end;
      ++frame.index;
    }
    if (frame.index == p.children.size()) return accept(frame.pos);
    return go_to(p.children[frame.index], frame.pos);
  }

  Step operator()(const common_peg_choice_parser& p) {
    if (returned != nullptr) {
      if (returned->success) return accept(returned->end);
      ++frame.index;
    }
    return frame.index == p.children.size() ? fail() : go_to(p.children[frame.index], frame.start);
  }

  Step operator()(const common_peg_repetition_parser& p) {
    bool over = false;
    if (returned != nullptr) {
      over = !returned->success || returned->end == frame.pos;
      if (!over) {
        frame.pos = returned->end;
        ++frame.index;
      }
    }
    const auto count = static_cast<int64_t>(frame.index);
    over = over || (p.max_count != -1 && count >= p.max_count);
    if (!over && frame.pos < size()) return go_to(p.child, frame.pos);
    if (!over && !machine.ended_) return wait();
    if (count >= p.min_count) return accept(frame.pos);
    return over ? fail() : wait();
  }

  Step operator()(const common_peg_and_parser& p) {
    if (returned == nullptr) return go_to(p.child, frame.start);
    return returned->success ? accept(frame.start) : fail();
  }
  Step operator()(const common_peg_not_parser& p) {
    if (returned == nullptr) return go_to(p.child, frame.start);
    return returned->success ? fail() : accept(frame.start);
  }

  Step operator()(const common_peg_any_parser&) {
    if (frame.start >= size()) return wait();
    return accept_text(frame.start + utf8::character_length(input(), frame.start));
  }

  Step operator()(const common_peg_space_parser&) {
    size_t pos = frame.pos;
    while (pos < size() && std::isspace(static_cast<unsigned char>(input()[pos])) != 0)
      ++pos;
    advance(pos);
    return pos < size() || machine.ended_ ? accept(pos) : wait();
  }

  Step operator()(const common_peg_chars_parser& p) {
    size_t pos = frame.pos;
    const auto full = [&] {
      return p.max_count != -1 && static_cast<int64_t>(frame.index) >= p.max_count;
    };
    bool matches = true;
    while (!full() && pos < size()) {
      const size_t length = utf8::character_length(input(), pos);
      const uint32_t character = code_point(input(), pos, length);
      const bool listed = std::any_of(p.ranges.begin(), p.ranges.end(),
                                      [&](const auto& range) { return range.contains(character); });
      matches = listed != p.negated;
      if (!matches) break;
      pos += length;
      ++frame.index;
    }
    advance(pos);
    const bool enough = static_cast<int64_t>(frame.index) >= p.min_count;
    if (matches && !full() && !(machine.ended_ && enough)) return wait();
    return enough ? accept(pos) : fail();
  }

  // Where an escape ends; its beginning if it is not complete; npos if there is no such escape.
  size_t escape_end(size_t pos, char delimiter) const {
    if (pos + 1 >= size()) return pos;
    const char c = input()[pos + 1];
    if (c == delimiter || std::string_view("\\/bfnrt").find(c) != std::string_view::npos) {
      return pos + 2;
    }
    if (c != 'u') return std::string::npos;
    for (size_t i = pos + 2; i < pos + 6; ++i) {
      if (i >= size()) return pos;
      if (!is_hex(input()[i])) return std::string::npos;
    }
    return pos + 6;
  }

  Step operator()(const common_peg_string_parser& p) {
    size_t pos = frame.pos;
    while (pos < size() && input()[pos] != p.delimiter) {
      size_t next = pos + 1;
      if (input()[pos] == '\\') next = escape_end(pos, p.delimiter);
      if (next == std::string::npos) return fail();
      if (next == pos) {
        advance(pos);
        return wait();
      }
      pos = next;
    }
    advance(pos);
    return pos < size() ? accept(pos) : wait();
  }

  Step operator()(const common_peg_until_parser& p) {
    size_t pos = frame.pos;
    for (; pos < size(); ++pos) {
      if (utf8::continues(input()[pos])) continue;
      bool may_begin = false;
      for (const std::string& delimiter : p.delimiters) {
        if (delimiter.empty() || input()[pos] != delimiter[0]) continue;
        const size_t there = std::min(size() - pos, delimiter.size());
        if (input().compare(pos, there, delimiter, 0, there) != 0) continue;
        if (there == delimiter.size()) return accept_text(pos);
        may_begin = true;
      }
      if (may_begin && !machine.ended_) break;
    }
    advance(pos);
    return wait();
  }

  Step operator()(const common_peg_rule_parser& p) { return hand_on(p.child); }
  Step operator()(const common_peg_tag_parser& p) { return hand_on(p.child); }
  Step operator()(const common_peg_atomic_parser& p) { return hand_on(p.child); }

  Step hand_on(common_peg_parser_id id) {
    if (returned == nullptr) return go_to(id, frame.start);
    return returned->success ? accept(returned->end) : fail();
  }

  // resolved() leaves none of these.
  template <typename Parser>
  Step operator()(const Parser&) {
    throw std::logic_error("A parser that hands on has no frame.");
  }
};

void PegMachine::run() {
  Result result{};
  const Result* returned = nullptr;
  while (state_ == State::kRunning && !stack_.empty()) {
    if (++until_check_ % 1024 == 0) template_program::check_budget();
    Stepper stepper{*this, stack_.back(), returned};
    returned = nullptr;
    switch (std::visit(stepper, arena_.get(stack_.back().id))) {
      case Step::kCall:
        call(stepper.child, stepper.child_start);
        break;
      case Step::kReturn:
        result = stepper.result;
        leave(result);
        returned = &result;
        break;
      case Step::kWait:
        return;
    }
  }
  if (state_ == State::kRunning) {
    state_ = returned != nullptr && returned->success && agreed_ == told_.size() ? State::kDone
                                                                                 : State::kFailed;
  }
}

void PegMachine::leave(const Result& result) {
  const Frame frame = stack_.back();
  stack_.pop_back();
  const common_peg_parser_variant& parser = arena_.get(frame.id);
  const bool looks = std::holds_alternative<common_peg_and_parser>(parser) ||
                     std::holds_alternative<common_peg_not_parser>(parser);
  if (looks) --looking_;
  if (std::holds_alternative<common_peg_atomic_parser>(parser)) --atomic_;
  if (!result.success || looks) {
    go_back(frame);
    return;
  }
  if (mark_of_[frame.id] != Mark::kNone) close(mark_of_[frame.id], result.end);
  tell();
}

void PegMachine::go_back(const Frame& frame) {
  if (events_.size() > frame.events) events_.resize(frame.events);
  if (!events_.empty()) events_.back().to = std::min(events_.back().to, frame.last_end);
  tellable_ = std::min(tellable_, events_.size());
  agreed_ = std::min(agreed_, events_.size());
  if (agreed_ > 0 && agreed_ == events_.size()) --agreed_;  // its text may have been cut
  marks_.resize(frame.marks);
  calls_ = frame.calls;
  named_ = frame.named;
}

void PegMachine::open(Mark mark, size_t at) {
  marks_.push_back(mark);
  if (is_call(mark)) ++calls_;
  events_.push_back({MarkEvent::Kind::kOpen, mark, at, at});
  if (named_) tellable_ = events_.size();
}

void PegMachine::close(Mark mark, size_t at) {
  marks_.pop_back();
  if (is_call(mark)) --calls_;
  events_.push_back({MarkEvent::Kind::kClose, mark, at, at});
  if (mark == Mark::kToolName) named_ = true;
  if (named_) tellable_ = events_.size();
  const bool ends = mark == Mark::kToolClose || mark == Mark::kTool || mark == Mark::kCalls;
  if (!ends) return;
  if (looking_ == 0 && atomic_ == 0 && calls_ == 0) account(at);
  named_ = false;
}

void PegMachine::text(size_t from, size_t to) {
  if (looking_ > 0) return;
  const Mark mark = taker();
  const bool shown = mark == Mark::kContent || mark == Mark::kReasoning;
  if (!events_.empty() && events_.back().kind == MarkEvent::Kind::kText &&
      events_.back().mark == mark && events_.back().to == from) {
    events_.back().to = to;
  } else {
    events_.push_back({MarkEvent::Kind::kText, mark, from, to});
  }
  if (shown || named_) tellable_ = events_.size();
  if (calls_ > 0) reached_ = std::max(reached_, to);
  if (atomic_ == 0 && (shown || calls_ == 0)) account(to);
  tell();
}

// Another reading of what was told already, which may yet be refused, accounts for nothing.
void PegMachine::account(size_t to) {
  tell();
  if (state_ != State::kFailed && agreed_ == told_.size()) accounted_ = std::max(accounted_, to);
}

Mark PegMachine::taker() const {
  const auto found = std::find_if(marks_.rbegin(), marks_.rend(), takes_text);
  return found == marks_.rend() ? Mark::kNone : *found;
}

// Tells what may be told. Told events stay: a parser that went back has to find them again.
void PegMachine::tell() {
  if (atomic_ > 0 || looking_ > 0 || state_ == State::kFailed) return;
  if (!agrees()) state_ = State::kFailed;
}

bool PegMachine::agrees() {
  // The last one that agreed may have grown.
  for (size_t i = agreed_ > 0 ? agreed_ - 1 : 0; i < tellable_; ++i) {
    const MarkEvent& event = events_[i];
    if (i == told_.size()) {
      told_.push_back(event);
      const bool ends_call = event.mark == Mark::kToolClose || event.mark == Mark::kTool;
      if (event.kind == MarkEvent::Kind::kClose && ends_call) {
        accounted_ = std::max(accounted_, event.to);
      }
    }
    MarkEvent& told = told_[i];
    const bool last = i + 1 == told_.size();
    const bool may_grow = i + 1 == events_.size();
    if (!same(event, told)) return false;
    if (event.to > told.to && !last) return false;
    if (event.to < told.to && !may_grow) return false;
    told.to = std::max(told.to, event.to);
    agreed_ = std::max(agreed_, event.to == told.to ? i + 1 : i);
  }
  return true;
}

}  // namespace cria
