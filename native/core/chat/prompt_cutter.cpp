#include "core/chat/prompt_cutter.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <utility>

#include "core/model/utf8.h"
#include "core/model/work_budget.h"

namespace cria {

namespace {

// The text between two control tokens, or at an end.
struct Stretch {
  std::string text;
  const ControlText* control = nullptr;  // the one after it
};

// Scanning a long text allocates nothing, so the budget has to be checked here.
void pause(size_t at) {
  if (at % 4096 != 0) return;
  if (WorkBudget* const budget = WorkBudget::current()) budget->check();
}

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

class Cutter {
 public:
  Cutter(const Vocabulary& vocabulary, const ControlTexts& controls)
      : vocabulary_(vocabulary), controls_(controls) {}

  std::vector<PromptSegment> cut(const Placeholders& placeholders,
                                 const std::vector<RenderedPart>& parts) {
    std::vector<Stretch> stretches = find_controls(parts);
    for (Stretch& stretch : stretches)
      stretch.text = placeholders.restore(stretch.text);
    strip(stretches);
    add_bos(stretches);
    for (const Stretch& stretch : stretches) {
      if (!stretch.text.empty()) add_text(stretch.text);
      if (stretch.control != nullptr) segments_.emplace_back(ControlSegment{stretch.control->text});
    }
    return std::move(segments_);
  }

 private:
  std::vector<Stretch> find_controls(const std::vector<RenderedPart>& parts) {
    std::string all;
    for (const RenderedPart& part : parts)
      all += part.text;

    std::vector<Stretch> stretches(1);
    size_t part = 0;
    size_t part_end = parts.empty() ? 0 : parts[0].text.size();
    size_t own_end = 0;  // where the template's own writing ends
    size_t copied = 0;
    for (size_t i = 0; i < all.size();) {
      pause(i);
      while (i >= part_end)
        part_end += parts[++part].text.size();
      if (parts[part].input) {
        i = part_end;
        continue;
      }
      if (own_end < part_end) {
        own_end = part_end;
        for (size_t next = part + 1; next < parts.size() && !parts[next].input; ++next)
          own_end += parts[next].text.size();
      }
      const ControlText* found = nullptr;
      for (const ControlText* control : controls_.at(all, i)) {
        if (i + control->text.size() > own_end) continue;
        found = control;
        break;
      }
      if (found == nullptr) {
        ++i;
        continue;
      }
      if (found->user_defined) used_.insert(found);
      stretches.back().text = all.substr(copied, i - copied);
      stretches.back().control = found;
      stretches.emplace_back();
      i += found->text.size();
      copied = i;
    }
    stretches.back().text = all.substr(copied);
    return stretches;
  }

  // As llama.cpp's tokenizer does it: some tokens swallow the white space beside them.
  static void strip(std::vector<Stretch>& stretches) {
    for (size_t i = 0; i + 1 < stretches.size(); ++i) {
      const ControlText& control = *stretches[i].control;
      std::string& left = stretches[i].text;
      std::string& right = stretches[i + 1].text;
      if (control.strips_left) {
        while (!left.empty() && is_space(left.back()))
          left.pop_back();
      }
      if (control.strips_right) {
        right.erase(right.begin(), std::find_if_not(right.begin(), right.end(), is_space));
      }
    }
  }

  void add_bos(const std::vector<Stretch>& stretches) {
    const llama_token bos = vocabulary_.bos();
    if (!llama_vocab_get_add_bos(vocabulary_.handle()) || bos == LLAMA_TOKEN_NULL) return;
    const Stretch& first = stretches.front();
    const bool written =
        first.text.empty() && first.control != nullptr && first.control->token == bos;
    if (!written)
      segments_.emplace_back(ControlSegment{llama_vocab_get_text(vocabulary_.handle(), bos)});
  }

  // A user-defined token that the template uses, or may use elsewhere, and that plain text would
  // become, too.
  bool forbidden_at(const std::string& text, size_t position) const {
    for (const ControlText* control : controls_.at(text, position)) {
      if (control->user_defined && (control->in_source || used_.count(control) != 0)) return true;
    }
    return false;
  }

  void add_text(const std::string& text) {
    std::vector<std::string> pieces;
    size_t begin = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      pause(i);
      if (!forbidden_at(text, i)) continue;
      const size_t end = i + utf8::character_length(text, i);
      pieces.push_back(text.substr(begin, end - begin));
      begin = end;
      i = end - 1;
    }
    if (begin < text.size()) pieces.push_back(text.substr(begin));
    if (pieces.size() == 1 || !puts_space_in_front()) {
      std::move(pieces.begin(), pieces.end(), std::back_inserter(segments_));
      return;
    }
    Tokens tokens;
    for (size_t i = 0; i < pieces.size(); ++i) {
      const Tokens more = i == 0 ? vocabulary_.tokenize(pieces[i], false) : continued(pieces[i]);
      tokens.insert(tokens.end(), more.begin(), more.end());
    }
    segments_.emplace_back(std::move(tokens));
  }

  bool puts_space_in_front() const {
    const enum llama_vocab_type type = llama_vocab_type(vocabulary_.handle());
    return type == LLAMA_VOCAB_TYPE_SPM || type == LLAMA_VOCAB_TYPE_UGM;
  }

  // The tokens of a text that continues another one. The space that the tokenizer puts in front
  // goes to a newline, which merges with nothing and is removed again.
  Tokens continued(const std::string& text) const {
    const Tokens newline = vocabulary_.tokenize("\n", false);
    Tokens tokens = vocabulary_.tokenize("\n" + text, false);
    const bool apart = tokens.size() >= newline.size() &&
                       std::equal(newline.begin(), newline.end(), tokens.begin());
    if (!apart) return vocabulary_.tokenize(text, false);
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(newline.size()));
    return tokens;
  }

  const Vocabulary& vocabulary_;
  const ControlTexts& controls_;
  std::set<const ControlText*> used_;
  std::vector<PromptSegment> segments_;
};

}  // namespace

std::vector<PromptSegment> cut_prompt(const Vocabulary& vocabulary, const ControlTexts& controls,
                                      const Placeholders& placeholders,
                                      const std::vector<RenderedPart>& parts) {
  return Cutter(vocabulary, controls).cut(placeholders, parts);
}

}  // namespace cria
