// What stands in for the characters that would make a user's text spell a control token, on its way
// through a template: long numbers, which templates pass on as they are, whatever they do with text
// (trim, upper, tojson, escape). Only one character of each spelled token is hidden, so that a
// template sees and treats the rest as it would otherwise.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/control_texts.h"

namespace cria {

class Placeholders {
 public:
  explicit Placeholders(const ControlTexts& controls);

  std::string hide(const std::string& text);

  // Throws ERR_TEMPLATE where the template has altered one of them.
  std::string restore(std::string_view text) const;
  // For people: what was altered stays as it is.
  std::string restore_loosely(std::string_view text) const;

 private:
  std::string number_of(const std::string& hidden);

  const ControlTexts& controls_;
  // Unpredictable, so that no text can hold it: the first digit occurs in it only once, which
  // leaves no two ways to find it.
  std::string head_;
  std::string tail_;
  std::vector<std::string> hidden_;  // by number
};

}  // namespace cria
