#include "core/chat/answer_stream.h"

#include <json.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "core/chat/answer_mapper.h"
#include "core/chat/peg_machine.h"
#include "core/chat/template_program.h"

namespace cria {

namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThought = "</think>";

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

bool is_blank(std::string_view text) { return std::all_of(text.begin(), text.end(), is_space); }

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string_view without_end(std::string_view text) {
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

// How much of the end of a text may begin a mark.
size_t beginning_of(std::string_view text, std::string_view mark) {
  for (size_t length = std::min(text.size(), mark.size() - 1); length > 0; --length) {
    if (text.substr(text.size() - length) == mark.substr(0, length)) return length;
  }
  return 0;
}

common_chat_format format_of(const std::string& name) {
  for (int format = 0; format < COMMON_CHAT_FORMAT_COUNT; ++format) {
    const auto candidate = static_cast<common_chat_format>(format);
    if (name == common_chat_format_name(candidate)) return candidate;
  }
  return COMMON_CHAT_FORMAT_CONTENT_ONLY;
}

bool is_object(const std::string& json) {
  const common_json parsed = common_json::parse_no_throw(json);
  return !parsed.is_discarded() && parsed.is_object();
}

}  // namespace

AnswerStream::AnswerStream(AnswerGrammar grammar) : grammar_(std::move(grammar)) {}

AnswerStream::~AnswerStream() = default;

void AnswerStream::open() {
  if (mapper_ != nullptr) return;
  mapper_ = std::make_unique<AnswerMapper>(format_of(grammar_.format));
  common_peg_arena arena;
  arena.load(grammar_.parser);
  machine_ = std::make_unique<PegMachine>(std::move(arena));
  machine_->push(grammar_.generation_prompt);
  if (machine_->reasons()) return;
  const bool open = ends_with(without_end(grammar_.generation_prompt), kThink);
  lead_ = open ? Lead::kThinking : Lead::kLooking;
}

std::vector<AnswerEvent> AnswerStream::push(std::string_view text, WorkBudget& budget) {
  template_program::run(budget, [&] {
    open();
    take(text);
  });
  return mapper_->take();
}

std::vector<AnswerEvent> AnswerStream::finish(bool cut_off, WorkBudget& budget) {
  template_program::run(budget, [&] {
    open();
    end(cut_off);
  });
  return mapper_->take();
}

void AnswerStream::take(std::string_view text) {
  if (lead_ == Lead::kOver) {
    parse(text);
    return;
  }
  held_ += text;
  if (lead_ == Lead::kLooking) {
    const size_t begin = std::min(held_.size(), held_.find_first_not_of(" \t\r\n"));
    const size_t there = std::min(held_.size() - begin, kThink.size());
    if (held_.compare(begin, there, kThink.substr(0, there)) != 0) {
      lead_ = Lead::kOver;
      parse(std::exchange(held_, {}));
      return;
    }
    if (there < kThink.size()) return;
    led_ = begin + kThink.size();
    held_.erase(0, led_);
    lead_ = Lead::kThinking;
  }
  if (lead_ == Lead::kThinking) {
    const size_t end = held_.find(kThought);
    const size_t told =
        end != std::string::npos ? end : held_.size() - beginning_of(held_, kThought);
    mapper_->add_reasoning(std::string_view(held_).substr(0, told), led_);
    led_ += told;
    held_.erase(0, told);
    if (end == std::string::npos) return;
    led_ += kThought.size();
    held_.erase(0, kThought.size());
    lead_ = Lead::kBehind;
  }
  const size_t begin = held_.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return;
  led_ += begin;
  held_.erase(0, begin);
  lead_ = Lead::kOver;
  parse(std::exchange(held_, {}));
}

void AnswerStream::parse(std::string_view text) {
  if (settled_) {
    settle(text);
    return;
  }
  machine_->push(text);
  map();
  if (machine_->state() != PegMachine::State::kRunning) settle("");
}

void AnswerStream::map() {
  const std::vector<MarkEvent>& events = machine_->events();
  const size_t begin = grammar_.generation_prompt.size();
  while (mapped_ < events.size()) {
    const MarkEvent& event = events[mapped_];
    const size_t from = std::max({event.from, mapped_text_, begin});
    if (event.kind == MarkEvent::Kind::kText) {
      if (event.to > from) {
        MarkEvent placed = event;
        placed.to = event.to - begin + led_;
        mapper_->feed(placed, std::string_view(machine_->input()).substr(from, event.to - from));
        mapped_text_ = event.to;
      }
      if (mapped_ + 1 == events.size()) return;  // it may grow
    } else {
      mapper_->feed(event, {});
    }
    ++mapped_;
  }
}

// The parser is through with the answer, or does not accept it. The rest is text, as it comes; it
// waits for the end if it is part of a call, or if it may be nothing but marks.
void AnswerStream::settle(std::string_view text) {
  const PegMachine& machine = *machine_;
  if (!settled_) {
    settled_ = true;
    const size_t told = std::max(machine.accounted(), grammar_.generation_prompt.size());
    if (told < machine.input().size()) rest_ = machine.input().substr(told);
  }
  rest_ += text;
  const bool waits = mapper_->in_call() || is_blank(rest_) ||
                     (machine.state() != PegMachine::State::kFailed && !machine.refused_call());
  if (waits) return;
  // White space at its end is only text if something follows.
  const size_t end = without_end(rest_).size();
  mapper_->add_text(std::string_view(rest_).substr(0, end));
  rest_.erase(0, end);
}

void AnswerStream::end(bool cut_off) {
  if (lead_ == Lead::kThinking) {
    mapper_->add_reasoning(held_, led_);
    held_.clear();
  }
  lead_ = Lead::kOver;
  if (!held_.empty()) parse(std::exchange(held_, {}));
  if (!settled_) {
    machine_->finish();
    map();
    if (machine_->state() == PegMachine::State::kOpen) {
      end_open(cut_off);
      return;
    }
    settle("");
  }
  if (mapper_->in_call()) {
    mapper_->end_call(true, std::move(rest_));
  } else {
    const std::string text = without_marks(std::move(rest_));
    if (!is_blank(text)) mapper_->add_text(text);
  }
}

// All of it was accepted, but the parser would have liked more.
void AnswerStream::end_open(bool cut_off) {
  const PegMachine& machine = *machine_;
  const size_t told = std::max(machine.accounted(), grammar_.generation_prompt.size());
  std::string rest = told < machine.input().size() ? machine.input().substr(told) : "";
  if (mapper_->in_call()) {
    const bool whole = !cut_off && is_object(mapper_->arguments());
    mapper_->end_call(!whole, whole ? "" : std::move(rest));
    return;
  }
  // The beginning of a call that was cut off, or the missing end of one.
  const bool marks = machine.in_calls() && (cut_off || mapper_->calls() > 0);
  if (!marks && !is_blank(rest)) mapper_->add_text(rest);
}

std::string AnswerStream::without_marks(std::string text) const {
  if (machine_->state() == PegMachine::State::kFailed || machine_->refused_call()) return text;
  for (const std::string& mark : grammar_.marks) {
    if (mark.empty()) continue;
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at))
      text.erase(at, mark.size());
  }
  return text;
}

}  // namespace cria
