// Runs a parser of llama.cpp's (a PEG) over a text that is still being written. Its own executor
// starts over with each piece; this one goes on where it stopped, so that an answer takes time
// linear in its length. It stops wherever a parser would have to look past the end of what is
// there, and so comes to the same result however the text is cut.
#pragma once

#include <peg-parser.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cria {

// What the parser finds in an answer: a tag or a rule that means something.
enum class Mark : uint8_t {
  kNone,
  kContent,
  kReasoning,
  kCalls,  // one call or more, with all that surrounds them
  kTool,
  kToolOpen,
  kToolClose,
  kToolName,
  kToolArguments,
  kArgument,
  kArgumentOpen,
  kArgumentClose,
  kArgumentName,
  kArgumentValue,
  kArgumentString,
  kArgumentObject,
  kArgumentArray,
  kArgumentItem,
  kGemmaString,
  kGemmaStringText,
  kGemmaScalar,
  kGemmaArray,
  kGemmaDict,
  kGemmaKey,
  kGemmaKeyName,
  kGemmaPair,
  kGemmaValue,
  kOther,  // a text that nobody takes, as a call's id
};

struct MarkEvent {
  enum class Kind : uint8_t { kOpen, kClose, kText };
  Kind kind;
  Mark mark;  // of a text: that of the innermost one that takes it
  size_t from;
  size_t to;
};

class PegMachine {
 public:
  enum class State {
    kRunning,
    kDone,    // the parser has all it wants; what follows is not its
    kFailed,  // it does not accept the text
    kOpen,    // the text ended while it wanted more
  };

  explicit PegMachine(common_peg_arena arena);

  // Must not be called once the state is another than kRunning.
  void push(std::string_view text);
  void finish();

  State state() const { return state_; }
  const std::string& input() const { return input_; }
  // All that was told so far. The last text may still grow; nothing is taken back: a parser that
  // goes back behind what was told has to find the same again, or else it fails.
  const std::vector<MarkEvent>& events() const { return told_; }
  // Up to where the text is told or was only marks; behind it nobody has seen it.
  size_t accounted() const { return accounted_; }
  // Whether it began to read a call behind that, and did not accept it.
  bool refused_call() const { return reached_ > accounted_; }
  // Whether it looks for thoughts at all.
  bool reasons() const;
  // Whether it is within calls.
  bool in_calls() const { return calls_ > 0; }

 private:
  struct Frame {
    common_peg_parser_id id;
    size_t start;
    size_t pos;
    uint32_t index = 0;  // of a child, or how many matched
    // What to go back to.
    size_t events;
    size_t last_end;
    size_t marks;
    int calls;
    bool named;
  };
  struct Result {
    bool success;
    size_t end;
  };
  enum class Step { kCall, kReturn, kWait };
  struct Stepper;

  common_peg_parser_id resolved(common_peg_parser_id id) const;
  void call(common_peg_parser_id id, size_t start);
  void run();
  void leave(const Result& result);
  void go_back(const Frame& frame);
  void open(Mark mark, size_t at);
  void close(Mark mark, size_t at);
  void text(size_t from, size_t to);
  void account(size_t to);
  void tell();
  void tell_open();
  bool agrees();
  bool is_quiet(const Frame& frame) const;
  Mark taker() const;
  static Mark mark_of(const common_peg_parser_variant& parser);

  const common_peg_arena arena_;
  std::vector<Mark> mark_of_;  // by parser
  std::string input_;
  bool ended_ = false;
  State state_ = State::kRunning;
  std::vector<Frame> stack_;
  // What the parsers on the stack found, and how much of it may be told.
  std::vector<MarkEvent> events_;
  size_t tellable_ = 0;
  std::vector<MarkEvent> told_;
  size_t agreed_ = 0;  // the events before it equal those that were told
  std::vector<Mark> marks_;
  int atomic_ = 0;   // an atomic parser tells all or nothing
  int looking_ = 0;  // a lookahead tells nothing
  int calls_ = 0;
  bool named_ = false;  // within a call whose name is known
  size_t accounted_ = 0;
  size_t reached_ = 0;  // within a call
  uint32_t until_check_ = 0;
};

}  // namespace cria
