// Replaces, on the way through a template, the characters with which a user's text would spell a
// control token, by long numbers: templates leave those unchanged whatever they do with text (trim,
// upper, tojson, escape). Only one character of each spelled token is hidden, so the template still
// sees the rest.
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

  // Throws ERR_TEMPLATE if the template has altered a number.
  std::string restore(std::string_view text) const;
  // For messages: altered numbers stay as they are.
  std::string restore_loosely(std::string_view text) const;

 private:
  std::string number_of(const std::string& hidden);

  const ControlTexts& controls_;
  // Random, so that no text can contain it. The first digit occurs only once, so there are no two
  // ways to find it.
  std::string head_;
  std::string tail_;
  std::vector<std::string> hidden_;  // by number
};

}  // namespace cria
