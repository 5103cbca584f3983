// A model's own chat template (Jinja), rendered by llama.cpp's engine, and llama.cpp's parser for
// the answers of such a model. Uses the model's vocabulary only during a call: the caller keeps
// both alive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/chat/prompt_cutter.h"
#include "core/model/vocabulary.h"
#include "core/model/work_budget.h"

namespace cria {

// A conversation in OpenAI's format, validated in TypeScript.
struct ChatRequest {
  // The memory that rendering may take: a constant for the template, and some for the values, which
  // are many times as large as their JSON.
  size_t memory() const {
    return WorkBudget::kMemory + kMemoryPerByte * (messages.size() + tools.size());
  }
  static constexpr size_t kMemoryPerByte = 40;

  std::string messages;   // JSON: an array
  std::string tools;      // JSON: an array, which may be empty
  std::string variables;  // JSON: an object
  bool add_generation_prompt = true;
  // The current time for the template, in seconds since 1970; and the date that it gets instead, if
  // one was given as text.
  int64_t now = 0;
  std::optional<std::string> date;
};

enum class ToolUse { kAuto, kNone, kRequired };

struct GrammarTrigger {
  const char* type;  // as in lib/internal/native.ts
  std::string value;
};

// How a model that was trained on the template answers: the grammar of its calls, and how to parse
// its output.
struct AnswerFormat {
  std::string name;
  std::string parser;  // llama.cpp's, as JSON
  std::string generation_prompt;
  std::string grammar;  // begins with the generation prompt
  bool grammar_lazy = false;
  std::vector<GrammarTrigger> triggers;
  std::vector<std::string> preserved_tokens;
  std::vector<std::string> additional_stops;
};

struct ParsedCall {
  std::string name;
  std::string arguments;  // JSON text
};

struct ParsedAnswer {
  std::string content;
  std::string reasoning;  // without its marks
  std::vector<ParsedCall> calls;
};

class ChatTemplate {
 public:
  // To be called within template_program::run(), as its functions are. Throws if the template is
  // invalid.
  ChatTemplate(const Vocabulary& vocabulary, const std::string& source);
  ~ChatTemplate();
  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;

  std::vector<PromptSegment> render(const Vocabulary& vocabulary, const ChatRequest& request);
  AnswerFormat answer_format(const ChatRequest& request, ToolUse use, bool parallel);

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

// Takes any text: one that the parser does not accept, or not within the budget, is all content.
// `format`, `generation_prompt` and `parser` are those of an AnswerFormat.
ParsedAnswer parse_answer(const std::string& text, const std::string& format,
                          const std::string& generation_prompt, const std::string& parser,
                          WorkBudget& budget);

// The templates of one model; the last few that were used stay compiled. One thread at a time. Its
// functions throw ERR_TEMPLATE with the template's own message, or when the budget of the call is
// spent.
class ChatTemplates {
 public:
  std::vector<PromptSegment> render(const Vocabulary& vocabulary, const std::string& source,
                                    const ChatRequest& request, WorkBudget& budget);
  AnswerFormat answer_format(const Vocabulary& vocabulary, const std::string& source,
                             const ChatRequest& request, ToolUse use, bool parallel,
                             WorkBudget& budget);

 private:
  ChatTemplate& of(const Vocabulary& vocabulary, const std::string& source);

  struct Entry {
    std::string source;
    std::unique_ptr<ChatTemplate> compiled;
  };
  std::vector<Entry> entries_;  // the last used at the end
};

}  // namespace cria
