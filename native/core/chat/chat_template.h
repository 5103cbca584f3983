// A model's own chat template (Jinja), rendered by llama.cpp's engine, and how the answers of such
// a model are to be read. Uses the model's vocabulary only during a call: the caller keeps both
// alive.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/chat/prompt_cutter.h"
#include "core/model/vocabulary.h"
#include "core/model/work_budget.h"

namespace autoparser {
struct autoparser;
}

namespace cria {

namespace tool_support {
struct Support;
}

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
  // Whether tools that the template has no place for are described in the system message. If not,
  // they are refused.
  bool describe_tools = true;
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
  // Whether the parser knows thoughts, and the marks around them.
  bool reasons = false;
  std::string reasoning_start;
  std::vector<std::string> reasoning_ends;  // the first is the one to write
};

// What an answer may be, beside text.
struct AnswerRules {
  ToolUse use = ToolUse::kAuto;
  bool parallel = true;  // several calls
  // Behind the thoughts comes what the rule `answer` of the grammar is: the caller's to write.
  bool schema = false;
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
  AnswerFormat answer_format(const ChatRequest& request, const AnswerRules& rules);

 private:
  struct Compiled;
  const autoparser::autoparser& analysis();
  bool reads_calls();
  const tool_support::Support& support_for(const ChatRequest& request);

  std::unique_ptr<Compiled> compiled_;
};

// The templates of one model; the last few that were used stay compiled. One thread at a time. Its
// functions throw ERR_TEMPLATE with the template's own message, or when the budget of the call is
// spent.
class ChatTemplates {
 public:
  std::vector<PromptSegment> render(const Vocabulary& vocabulary, const std::string& source,
                                    const ChatRequest& request, WorkBudget& budget);
  AnswerFormat answer_format(const Vocabulary& vocabulary, const std::string& source,
                             const ChatRequest& request, const AnswerRules& rules,
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
