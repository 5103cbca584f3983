// A model's own chat template (Jinja), rendered by llama.cpp's engine, and its parser for what such
// a model answers. Knows the model's vocabulary only while it works: the caller keeps both alive.
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

// A conversation in OpenAI's shapes, checked in TypeScript.
struct ChatRequest {
  // What it may take in memory: so much for the template, and what its own values take, which are
  // many times as large as their JSON.
  size_t memory() const {
    return WorkBudget::kMemory + kMemoryPerByte * (messages.size() + tools.size());
  }
  static constexpr size_t kMemoryPerByte = 40;

  std::string messages;   // JSON: an array
  std::string tools;      // JSON: an array, which may be empty
  std::string variables;  // JSON: an object
  bool add_generation_prompt = true;
  // What the template takes for now, in seconds since 1970; and what it is told as the date where
  // somebody gave a text.
  int64_t now = 0;
  std::optional<std::string> date;
};

enum class ToolUse { kAuto, kNone, kRequired };

struct GrammarTrigger {
  const char* type;  // as in lib/internal/native.ts
  std::string value;
};

// How a model that was trained on the template answers: the grammar of its calls, and what to do
// with its output.
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
  std::string reasoning;  // what the model thought before it, without its marks
  std::vector<ParsedCall> calls;
};

class ChatTemplate {
 public:
  // Within template_program::run(), as its functions; throws what is wrong with it.
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

// Any text; one that the parser does not take, or not within the budget, is all content. `format`,
// `generation_prompt` and `parser` are those of an AnswerFormat.
ParsedAnswer parse_answer(const std::string& text, const std::string& format,
                          const std::string& generation_prompt, const std::string& parser,
                          WorkBudget& budget);

// The templates of one model, the last few that were used kept as they were compiled. For one
// thread at a time. Its functions throw ERR_TEMPLATE with the template's own message, or where the
// budget, which is for all that one of them does, is spent.
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
  std::vector<Entry> entries_;  // the last used one last
};

}  // namespace cria
