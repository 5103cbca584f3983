#include "core/chat/placeholders.h"

#include <algorithm>
#include <cctype>
#include <random>

#include "core/model/error.h"
#include "core/model/utf8.h"
#include "core/model/work_budget.h"

namespace cria {

namespace {

constexpr size_t kHeadDigits = 16;
constexpr size_t kNumberDigits = 4;
constexpr size_t kTailDigits = 12;
constexpr char kFirstDigit = '7';
// A remainder of this length proves that a number was cut.
constexpr size_t kTelling = 8;

std::string random_digits(std::random_device& device, size_t count) {
  static constexpr char kDigits[] = "012345689";
  std::string digits;
  while (digits.size() < count)
    digits += kDigits[device() % (sizeof kDigits - 1)];
  return digits;
}

// Characters that JSON does not escape and nobody trims may be put back into any text.
bool passes_anywhere(char c) {
  return static_cast<unsigned char>(c) < 0x80 && std::isgraph(static_cast<unsigned char>(c)) != 0 &&
         c != '"' && c != '\\';
}

}  // namespace

Placeholders::Placeholders(const ControlTexts& controls) : controls_(controls) {
  std::random_device device;
  head_ = kFirstDigit + random_digits(device, kHeadDigits - 1);
  tail_ = random_digits(device, kTailDigits);
}

std::string Placeholders::number_of(const std::string& hidden) {
  const auto found = std::find(hidden_.begin(), hidden_.end(), hidden);
  const auto index = static_cast<size_t>(found - hidden_.begin());
  if (found == hidden_.end()) hidden_.push_back(hidden);
  std::string number = std::to_string(index);
  number.insert(0, kNumberDigits - std::min(kNumberDigits, number.size()), '0');
  return head_ + number + tail_;
}

std::string Placeholders::hide(const std::string& text) {
  std::string result;
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    WorkBudget* const budget = i % 4096 == 0 ? WorkBudget::current() : nullptr;
    if (budget != nullptr) budget->check();
    const std::vector<const ControlText*> spelled = controls_.at(text, i);
    if (spelled.empty()) continue;
    // Within the shortest one, and so within all that begin here.
    const size_t end = i + spelled.back()->text.size();
    size_t place = i;
    while (place < end && !passes_anywhere(text[place]))
      ++place;
    if (place == end) place = i;
    if (place < copied) continue;  // an earlier one shares the hidden character
    const size_t length = utf8::character_length(text, place);
    result.append(text, copied, place - copied);
    result += number_of(text.substr(place, length));
    copied = place + length;
  }
  return result.append(text, copied, std::string::npos);
}

std::string Placeholders::restore_loosely(std::string_view text) const {
  if (hidden_.empty()) return std::string(text);
  std::string result;
  size_t copied = 0;
  for (size_t at = text.find(head_); at != std::string_view::npos; at = text.find(head_, at + 1)) {
    const std::string_view number = text.substr(at + kHeadDigits, kNumberDigits);
    const bool whole = text.compare(at + kHeadDigits + number.size(), kTailDigits, tail_) == 0;
    size_t index = 0;
    for (const char digit : number)
      index = index * 10 + static_cast<size_t>(digit - '0');
    if (!whole || index >= hidden_.size()) continue;  // altered
    result.append(text, copied, at - copied);
    result += hidden_[index];
    copied = at + kHeadDigits + kNumberDigits + kTailDigits;
  }
  return result.append(text.substr(copied));
}

std::string Placeholders::restore(std::string_view text) const {
  std::string result = restore_loosely(text);
  if (hidden_.empty()) return result;
  for (const std::string& digits : {head_, tail_}) {
    for (size_t i = 0; i + kTelling <= digits.size(); ++i) {
      if (result.find(digits.c_str() + i, 0, kTelling) == std::string::npos) continue;
      throw Error(code::kTemplate,
                  "The model's chat template cuts or rewrites a text that spells a control token, "
                  "which cannot be rendered safely. Take the token out of the text.");
    }
  }
  return result;
}

}  // namespace cria
