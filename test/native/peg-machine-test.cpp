// cria::PegMachine beside llama.cpp's own executor of the same parsers: whether a text is accepted,
// and that what is told does not depend on how it is cut.
//
//   cria-peg-machine-test [tests…]

#include <chat-peg-parser.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat/peg_machine.h"
#include "harness.h"

using cria::Mark;
using cria::MarkEvent;
using cria::PegMachine;

namespace {

using Builder = common_chat_peg_builder;

struct Reading {
  PegMachine::State state;
  std::vector<MarkEvent> events;
  size_t accounted;
};

bool equal(const std::vector<MarkEvent>& some, const std::vector<MarkEvent>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                    [](const MarkEvent& a, const MarkEvent& b) {
                      return a.kind == b.kind && a.mark == b.mark && a.from == b.from &&
                             a.to == b.to;
                    });
}

// The pieces one behind the other, as far as it takes them.
Reading read(const common_peg_arena& arena, const std::vector<std::string_view>& pieces) {
  PegMachine machine(arena);
  for (const std::string_view piece : pieces)
    if (machine.state() == PegMachine::State::kRunning) machine.push(piece);
  if (machine.state() == PegMachine::State::kRunning) machine.finish();
  return {machine.state(), machine.events(), machine.accounted()};
}

void check_cuts(const common_peg_arena& arena, const std::string& text) {
  const Reading whole = read(arena, {text});
  const std::string_view all = text;
  const auto check = [&](const std::vector<std::string_view>& pieces) {
    const Reading cut = read(arena, pieces);
    CHECK(cut.state == whole.state);
    CHECK(equal(cut.events, whole.events));
    CHECK_EQ(cut.accounted, whole.accounted);
  };
  std::vector<std::string_view> bytes;
  for (size_t at = 0; at <= text.size(); ++at) {
    check({all.substr(0, at), all.substr(at)});
    if (at < text.size()) bytes.push_back(all.substr(at, 1));
  }
  check(bytes);
}

bool accepted(const common_peg_arena& arena, const std::string& text) {
  common_peg_parse_context context(text);
  return arena.parse(context).success();
}

// Thoughts, an answer, and calls with a name and arguments in JSON.
common_peg_arena format() {
  return build_peg_parser([](common_peg_parser_builder& p) {
    const auto thoughts =
        p.optional("<think>" + p.tag(Builder::REASONING, p.until("</think>")) + "</think>");
    const auto name = p.tag(Builder::TOOL_NAME, p.chars("[a-z]", 1, -1));
    const auto call = p.tag(Builder::TOOL, p.tag(Builder::TOOL_OPEN, "<call>" + name + ":") +
                                               p.tag(Builder::TOOL_ARGS, p.json()) +
                                               p.tag(Builder::TOOL_CLOSE, p.literal("</call>")));
    return thoughts + p.tag(Builder::CONTENT, p.until("<call>")) +
           p.trigger_rule("calls", p.zero_or_more(call)) + p.end();
  });
}

// By chance, over a few letters: small, so that texts by chance are accepted by many.
class ChanceParser {
 public:
  // `tells`: with tags.
  ChanceParser(common_peg_parser_builder& builder, std::mt19937& random, bool tells)
      : builder_(builder), random_(random), tells_(tells) {}

  common_peg_parser make(int depth) {
    common_peg_parser_builder& p = builder_;
    switch (below(depth > 0 ? 12 : 4)) {
      case 0:
        return p.literal(word());
      case 1:
        return p.chars("[ab]", static_cast<int>(below(2)), static_cast<int>(1 + below(3)));
      case 2:
        return p.until(word());
      case 3:
        return p.any();
      case 4:
      case 5:
        return make(depth - 1) + make(depth - 1);
      case 6:
      case 7:
        return make(depth - 1) | make(depth - 1);
      case 8:
        return p.repeat(make(depth - 1), static_cast<int>(below(2)),
                        static_cast<int>(1 + below(3)));
      case 9:
        return p.optional(make(depth - 1));
      case 10:
        if (!tells_) return make(depth - 1);
        return p.tag(below(2) == 0 ? Builder::CONTENT : Builder::REASONING, make(depth - 1));
      default:
        return look(depth);
    }
  }

 private:
  size_t below(size_t most) { return random_() % most; }

  common_peg_parser look(int depth) {
    switch (below(3)) {
      case 0:
        return builder_.peek(make(depth - 1));
      case 1:
        return builder_.negate(make(depth - 1));
      default:
        return builder_.atomic(make(depth - 1));
    }
  }

  std::string word() {
    static const std::string kWords[] = {"a", "b", "ab", "ba", "<", "<a"};
    return kWords[below(std::size(kWords))];
  }

  common_peg_parser_builder& builder_;
  std::mt19937& random_;
  const bool tells_;
};

std::string text_by_chance(std::mt19937& random) {
  static constexpr std::string_view kLetters = "aaabbb<";
  std::string text;
  for (size_t length = random() % 9; length > 0; --length)
    text += kLetters[random() % kLetters.size()];
  return text;
}

}  // namespace

TEST(an_answer_is_told_part_by_part) {
  const std::string text = "<think>So.</think>Look: <call>find:{\"a\": [1, \"x\"]}</call>";
  const Reading reading = read(format(), {text});
  CHECK(reading.state == PegMachine::State::kDone);
  CHECK_EQ(reading.accounted, text.size());
  std::string told;
  for (const MarkEvent& event : reading.events) {
    if (event.kind != MarkEvent::Kind::kText || event.mark == Mark::kNone) continue;
    told += std::to_string(static_cast<int>(event.mark)) + "=" +
            text.substr(event.from, event.to - event.from) + ";";
  }
  const auto part = [](Mark mark, const std::string& what) {
    return std::to_string(static_cast<int>(mark)) + "=" + what + ";";
  };
  CHECK_EQ(told, part(Mark::kReasoning, "So.") + part(Mark::kContent, "Look: ") +
                     part(Mark::kToolName, "find") +
                     part(Mark::kToolArguments, "{\"a\": [1, \"x\"]}"));
}

TEST(cut_anywhere_an_answer_is_told_alike) {
  for (const char* text :
       {"", "plain", "<think>", "<think>So.</think>", "<think>a</thin", "a<call", "a<call>",
        "<call>f:{}</call>", "<call>f:{}</call><call>g:[1.5e3]</call>", "<call>f:{\"a\":}</call>",
        "<call>1:{}</call>", "x<call>f:{\"a\": \"\\u00e9\\\"\"}</call>tail",
        "<call>f:{\"a\": [[[[{\"b\": null}]]]]}</call>", "<think><call>f:{}</call></think>ok"})
    check_cuts(format(), text);
}

// What was told is not taken back, so of parsers that tell something, some that llama.cpp goes back
// in fail. And of a text that ends where the parser wants more, it makes up its mind all the same.
void check_by_chance(bool tells) {
  std::mt19937 random(19);
  int taken = 0;
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    const common_peg_arena arena = build_peg_parser([&](common_peg_parser_builder& p) {
      return ChanceParser(p, random, tells).make(4) + p.end();
    });
    for (int j = 0; j < 12; ++j) {
      const std::string text = text_by_chance(random);
      const PegMachine::State state = read(arena, {text}).state;
      const bool done = state == PegMachine::State::kDone;
      const bool failed = state == PegMachine::State::kFailed;
      const bool expected = accepted(arena, text);
      if (expected ? failed && !tells : done)
        harness::fail(__FILE__, __LINE__, arena.dump(arena.root()) + ": " + harness::show(text));
      taken += done ? 1 : 0;
      refused += failed ? 1 : 0;
      check_cuts(arena, text);
    }
  }
  CHECK(taken > 1000 && refused > 1000);  // else they would say nothing
}

TEST(parsers_by_chance_accept_what_llama_cpp_accepts_however_it_is_cut) {
  check_by_chance(/*tells=*/false);
}

TEST(parsers_by_chance_that_tell_something_tell_it_however_it_is_cut) {
  check_by_chance(/*tells=*/true);
}

// A text that was read anew with each piece would not end here.
TEST(an_answer_of_a_million_pieces_is_read_once) {
  PegMachine machine(format());
  for (int i = 0; i < 1'000'000; ++i)
    machine.push("ab");
  machine.push("<call>f:[0");
  for (int i = 0; i < 100'000; ++i)
    machine.push(",1");
  machine.push("]</call>");
  machine.finish();
  CHECK(machine.state() == PegMachine::State::kDone);
  CHECK_EQ(machine.accounted(), machine.input().size());
}

TEST(bytes_that_are_no_text_and_values_that_never_end_are_read) {
  check_cuts(format(), std::string("a\0b\xff\xc3<call>f:{}</call>", 20));
  const std::string deep = "<call>f:" + std::string(2000, '[');
  CHECK(read(format(), {deep}).state != PegMachine::State::kDone);
  const std::string closed = deep + std::string(2000, ']') + "</call>";
  const PegMachine::State state = read(format(), {closed}).state;
  CHECK(state == PegMachine::State::kDone || state == PegMachine::State::kFailed);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
