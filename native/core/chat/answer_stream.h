// Reads an answer while it is written, in the format of a model's template. What the format's
// parser does not accept is never lost: it is text, or a broken call.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/answer_event.h"
#include "core/model/work_budget.h"

namespace cria {

class AnswerMapper;
class PegMachine;

// How it is to be read: parts of an AnswerFormat.
struct AnswerGrammar {
  std::string format;
  std::string parser;
  std::string generation_prompt;
  std::vector<std::string> marks;
};

// Holds nothing of the model's. One thread at a time.
class AnswerStream {
 public:
  explicit AnswerStream(AnswerGrammar grammar);
  ~AnswerStream();
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  // The same events in all, however the text is cut between its characters.
  std::vector<AnswerEvent> push(std::string_view text, WorkBudget& budget);
  // `cut_off`: the model would have gone on.
  std::vector<AnswerEvent> finish(bool cut_off, WorkBudget& budget);

 private:
  void open();
  void take(std::string_view text);
  void take_thoughts(std::string_view text);
  void parse(std::string_view text);
  void map();
  void settle(std::string_view text);
  void end(bool cut_off);
  void end_open(bool cut_off);
  std::string without_marks(std::string text) const;

  const AnswerGrammar grammar_;
  std::unique_ptr<PegMachine> machine_;
  std::unique_ptr<AnswerMapper> mapper_;
  size_t mapped_ = 0;       // events of the machine's
  size_t mapped_text_ = 0;  // of the last of them
  // Thoughts in front of a format that knows none, as <think>…</think>.
  enum class Lead { kLooking, kThinking, kBehind, kOver } lead_ = Lead::kOver;
  std::string held_;
  size_t led_ = 0;  // bytes of the answer that the lead took
  bool settled_ = false;
  std::string rest_;
};

}  // namespace cria
