// Makes the text, the thoughts and the calls of an answer out of the marks that a PegMachine finds
// in it, as common_chat_peg_mapper and its descendants make them of a whole tree.
#pragma once

#include <chat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/answer_event.h"
#include "core/chat/peg_machine.h"

namespace cria {

class AnswerMapper {
 public:
  explicit AnswerMapper(common_chat_format format);

  // `text`: a text's own, or its next piece.
  void feed(const MarkEvent& event, std::string_view text);

  void add_text(std::string_view text);
  void add_reasoning(std::string_view text, size_t from);
  // Ends the open call. `broken`: with what the model wrote in its place.
  void end_call(bool broken, std::string source);

  bool in_call() const { return named_; }
  size_t calls() const { return calls_; }
  const std::string& arguments() const { return arguments_; }

  // Since the last call.
  std::vector<AnswerEvent> take();

 private:
  struct Container {
    char end;
    bool empty = true;
  };

  void opened(Mark mark);
  void closed(Mark mark);
  void took(Mark mark, std::string_view text, size_t from);
  void begin_call();
  void write(std::string_view json);
  void write_raw(std::string_view json);
  void begin_container(char begin, char end);
  void end_container();
  void separate();
  void add(AnswerEvent::Kind kind, std::string_view text);
  std::string json_of(const std::string& value);

  const common_chat_format format_;
  std::vector<AnswerEvent> events_;
  std::string blank_;  // thoughts so far, if they are only white space
  bool thought_ = false;
  bool said_ = false;
  size_t calls_ = 0;

  // The current call.
  bool began_ = false;
  bool named_ = false;
  std::string name_;
  std::string arguments_;
  std::string spaces_;  // may be the end of the arguments, which have none
  enum class Raw { kUnknown, kYes, kNo } raw_ = Raw::kUnknown;
  bool quoted_ = false;
  std::string key_;
  std::string value_;
  std::vector<Container> containers_;
};

}  // namespace cria
