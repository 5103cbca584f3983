// The places between the items of a grammar's rules, and what may follow at each. A rule's places
// are made when it is first entered: most texts need few of a large grammar's rules.
#pragma once

#include <cstdint>
#include <vector>

#include "core/sampling/grammar_rules.h"

namespace cria {

// One thread at a time.
class GrammarGraph {
 public:
  using Place = uint32_t;

  // kReturn: the end of the rule. kCharacter: one of a set. kToken. kCall: what another rule
  // matches, and on behind it. kEnter: what another rule matches, and with its end this rule ends.
  // kSplit: any of several places.
  enum class Kind : uint8_t { kReturn, kCharacter, kToken, kCall, kEnter, kSplit };
  struct Step {
    Kind kind;
    uint32_t subject;  // a set, a token, a rule; kSplit: where in targets() they begin
    uint32_t next;     // kSplit: how many there are
  };
  static constexpr Place kReturnPlace = 0;

  explicit GrammarGraph(GrammarRules rules);

  // Throws ERR_GRAMMAR_INVALID for a rule that is only mentioned.
  Place start(uint32_t rule);

  // Whether a rule stands for a text that may go on right behind it, as one part of a long string:
  // then it is followed as if it were written out. Never one that leads back to itself.
  bool goes_on(uint32_t rule);

  const Step& step(Place place) const { return steps_[place]; }
  const std::vector<Place>& targets() const { return targets_; }
  size_t count() const { return steps_.size(); }
  size_t bytes() const {
    return steps_.capacity() * sizeof(Step) + targets_.capacity() * sizeof(Place) +
           (starts_.capacity() + sizes_.capacity()) * sizeof(uint32_t) + rules_.bytes();
  }
  const GrammarRules& rules() const { return rules_; }

 private:
  enum GoesOn : char { kNotAsked, kNo, kYes };
  static constexpr uint32_t kUnknown = UINT32_MAX;
  static constexpr uint32_t kNever = UINT32_MAX - 1;
  static constexpr uint32_t kMeasuring = UINT32_MAX - 2;

  Place build(uint32_t expression, Place next);
  Place build_repeat(const GrammarRules::Expression& repeat, Place next);
  Place build_reference(uint32_t rule, Place next);
  Place add(const Step& step);
  Place split(const std::vector<Place>& targets);
  uint32_t size_of(uint32_t rule, int depth);
  uint32_t measure(uint32_t expression, int depth);
  bool ends_wide(uint32_t expression, int deep) const;

  GrammarRules rules_;
  std::vector<Step> steps_;
  std::vector<Place> targets_;
  std::vector<Place> starts_;    // by rule
  std::vector<uint32_t> sizes_;  // by rule: of what could be written out in place of a reference
  std::vector<char> going_on_;   // by rule
};

}  // namespace cria
