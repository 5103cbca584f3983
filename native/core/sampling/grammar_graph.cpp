#include "core/sampling/grammar_graph.h"

#include <algorithm>
#include <utility>

#include "core/model/error.h"

namespace cria {

namespace {

using Kind = GrammarGraph::Kind;
using Expressions = GrammarRules::Kind;

// Rules up to this size are written out where they are named: what may follow a few characters is
// then known without a stack. JSON's characters with their escapes have about 20.
constexpr uint32_t kSmall = 48;
constexpr int kDeepest = 16;
// Larger ones are never followed as if they were written out.
constexpr uint32_t kLarge = 1 << 16;
// Behind one of so many characters a token often goes on.
constexpr uint32_t kWide = 20;
// Beyond this a repeated group becomes a rule, of which each repetition is a reference.
constexpr uint64_t kMostCopied = 1 << 16;
// From so many places on nothing is written out any more.
constexpr size_t kManyPlaces = 1 << 20;

}  // namespace

GrammarGraph::GrammarGraph(GrammarRules rules)
    : rules_(std::move(rules)),
      steps_{{Kind::kReturn, 0, 0}},
      starts_(rules_.rules.size(), kUnknown),
      sizes_(rules_.rules.size(), kUnknown) {}

GrammarGraph::Place GrammarGraph::start(uint32_t rule) {
  if (starts_[rule] != kUnknown) return starts_[rule];
  if (rules_.rules[rule] == GrammarRules::kNone) {
    throw Error(code::kGrammarInvalid, "The grammar names a rule that it does not define.");
  }
  const Place place = build(rules_.rules[rule], kReturnPlace);
  starts_[rule] = place;
  return place;
}

GrammarGraph::Place GrammarGraph::build(uint32_t index, Place next) {
  const GrammarRules::Expression expression = rules_.expressions[index];
  switch (expression.kind) {
    case Expressions::kEmpty:
      return next;
    case Expressions::kCharacter:
      return add({Kind::kCharacter, expression.subject, next});
    case Expressions::kToken:
      return add({Kind::kToken, expression.subject, next});
    case Expressions::kRule:
      return build_reference(expression.subject, next);
    case Expressions::kSequence:
      for (uint32_t i = expression.count; i-- > 0;)
        next = build(rules_.parts[expression.subject + i], next);
      return next;
    case Expressions::kChoice: {
      std::vector<Place> targets;
      for (uint32_t i = 0; i < expression.count; ++i)
        targets.push_back(build(rules_.parts[expression.subject + i], next));
      return split(targets);
    }
    case Expressions::kRepeat:
      return build_repeat(expression, next);
  }
  return next;
}

GrammarGraph::Place GrammarGraph::build_repeat(const GrammarRules::Expression& repeat, Place next) {
  const auto [min, max] = rules_.bounds[repeat.count];
  uint32_t subject = repeat.subject;
  const uint32_t size = rules_.expressions[subject].size;
  const uint64_t times = max == GrammarRules::kUnlimited ? uint64_t{min} + 1 : max;
  if (size > 1 && size * times > (steps_.size() < kManyPlaces ? kMostCopied : 1)) {
    const auto rule = static_cast<uint32_t>(rules_.rules.size());
    // In this order: where memory ends in between, there is no rule without its place.
    starts_.push_back(kUnknown);
    sizes_.push_back(kNever);
    rules_.rules.push_back(subject);
    rules_.expressions.push_back({Expressions::kRule, rule, 0, 1});
    subject = static_cast<uint32_t>(rules_.expressions.size() - 1);
  }
  Place place = next;
  if (max == GrammarRules::kUnlimited) {
    place = split({next, next});
    const Place inner = build(subject, place);
    targets_[steps_[place].subject] = inner;
  } else {
    for (uint32_t i = min; i < max; ++i)
      place = split({build(subject, place), next});
  }
  for (uint32_t i = 0; i < min; ++i)
    place = build(subject, place);
  return place;
}

GrammarGraph::Place GrammarGraph::build_reference(uint32_t rule, Place next) {
  if (next == kReturnPlace) return add({Kind::kEnter, rule, 0});
  if (steps_.size() < kManyPlaces && size_of(rule, 0) <= kSmall)
    return build(rules_.rules[rule], next);
  return add({Kind::kCall, rule, next});
}

GrammarGraph::Place GrammarGraph::add(const Step& step) {
  steps_.push_back(step);
  return static_cast<Place>(steps_.size() - 1);
}

GrammarGraph::Place GrammarGraph::split(const std::vector<Place>& targets) {
  const auto begin = static_cast<uint32_t>(targets_.size());
  targets_.insert(targets_.end(), targets.begin(), targets.end());
  return add({Kind::kSplit, begin, static_cast<uint32_t>(targets.size())});
}

// kNever for a rule that leads back to itself.
uint32_t GrammarGraph::size_of(uint32_t rule, int depth) {
  if (sizes_[rule] == kUnknown) {
    if (depth >= kDeepest || rules_.rules[rule] == GrammarRules::kNone) {
      sizes_[rule] = kNever;
    } else {
      sizes_[rule] = kMeasuring;
      const uint32_t size = measure(rules_.rules[rule], depth + 1);
      if (sizes_[rule] == kMeasuring) sizes_[rule] = size;
    }
  } else if (sizes_[rule] == kMeasuring) {
    sizes_[rule] = kNever;
  }
  return sizes_[rule];
}

uint32_t GrammarGraph::measure(uint32_t index, int depth) {
  const GrammarRules::Expression expression = rules_.expressions[index];
  uint64_t size = 0;
  switch (expression.kind) {
    case Expressions::kEmpty:
      return 0;
    case Expressions::kCharacter:
    case Expressions::kToken:
      return 1;
    case Expressions::kRule:
      // More than the rule itself: chains of rules, and rules without characters, are not free.
      size = uint64_t{size_of(expression.subject, depth)} + 1;
      break;
    case Expressions::kSequence:
    case Expressions::kChoice:
      for (uint32_t i = 0; i < expression.count && size < kLarge; ++i)
        size += measure(rules_.parts[expression.subject + i], depth);
      break;
    case Expressions::kRepeat: {
      const auto [min, max] = rules_.bounds[expression.count];
      const uint64_t times = max == GrammarRules::kUnlimited ? uint64_t{min} + 1 : max;
      size = times * std::max(1U, measure(expression.subject, depth));
      break;
    }
  }
  return size < kLarge ? static_cast<uint32_t>(size) : kNever;
}

bool GrammarGraph::goes_on(uint32_t rule) {
  going_on_.resize(rules_.rules.size(), kNotAsked);
  if (going_on_[rule] == kNotAsked) {
    const bool yes = size_of(rule, 0) < kLarge && ends_wide(rules_.rules[rule], kDeepest);
    going_on_[rule] = yes ? kYes : kNo;
  }
  return going_on_[rule] == kYes;
}

// Whether it may end with one of many characters. It must not lead back to itself.
// `deep`: how many rules within rules are looked at; what lies deeper does not.
bool GrammarGraph::ends_wide(uint32_t index, int deep) const {
  const GrammarRules::Expression& expression = rules_.expressions[index];
  switch (expression.kind) {
    case Expressions::kEmpty:
    case Expressions::kToken:
      return false;
    case Expressions::kCharacter:
      return character_count(*rules_.characters.ranges(expression.subject)) >= kWide;
    case Expressions::kRule:
      return deep > 0 && ends_wide(rules_.rules[expression.subject], deep - 1);
    case Expressions::kSequence:
      return ends_wide(rules_.parts[expression.subject + expression.count - 1], deep);
    case Expressions::kChoice: {
      const auto first = rules_.parts.begin() + expression.subject;
      return std::any_of(first, first + expression.count,
                         [&](uint32_t part) { return ends_wide(part, deep); });
    }
    case Expressions::kRepeat:
      return ends_wide(expression.subject, deep);
  }
  return false;
}

}  // namespace cria
