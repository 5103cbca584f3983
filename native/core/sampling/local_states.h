// The states within a rule: sets of places, as of a finite automaton, so that alternatives that
// begin alike are one. Each is made when a text first comes there.
//
// A rule that stands for a part of a text (GrammarGraph::goes_on) has none of its own: its places
// stand in the sets of the rule that names it, each as a spot, a place that knows where it returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/sampling/grammar_graph.h"
#include "core/sampling/grammar_work.h"
#include "core/sampling/hash_index.h"

namespace cria {

// One thread at a time. What makes states throws ERR_GRAMMAR_INVALID past the limits of work.
class LocalStates {
 public:
  using Local = uint32_t;

  using Spot = uint32_t;  // a place, or an index of spots_

  static constexpr uint32_t kNone = HashIndex::kNone;

  // A rule is entered, and what is behind it stays for when it is left.
  struct Call {
    Local rule;
    Local behind;
  };
  // A token that is taken as such, whatever its bytes, and where it leads.
  struct TokenStep {
    GrammarRules::Token token;
    Spot next;
  };
  struct Properties {
    bool characters;  // some may come
    bool tokens;      // some may come as such
    bool ends;        // the rule may end
    bool only_ends;
  };

  LocalStates(GrammarGraph& graph, GrammarWork& work);

  // What may come at a spot.
  Local at(Spot spot);
  Local at_start(uint32_t rule) { return at(graph_.start(rule)); }
  // Behind one more byte of a character; kNone if none goes on with it.
  Local next(Local local, uint8_t byte) {
    const uint32_t table = entries_[local].table;
    if (table != kNone) {
      const uint32_t known = tables_[table + classes_[byte]];
      if (known != kUnknown) return known;
    }
    return make_next(local, byte);
  }
  // With what it says of tokens as such, and nothing else.
  Local tokens_only(Local local);
  // The same local state of others of the same graph.
  Local copy(const LocalStates& from, Local local);

  const GrammarGraph& graph() const { return graph_; }
  const Properties& properties(Local local) const { return entries_[local].properties; }
  // The rules that are entered here, each once: it returns to all that it was entered from.
  // Calls with each; it may make states.
  template <typename Do>
  void each_call(Local local, const Do& action) {
    open_calls(local);
    const Entry entry = entries_[local];
    for (uint32_t i = 0; i < entry.call_count; ++i)
      action(Call(calls_[entry.calls + i]));
  }
  std::vector<TokenStep> token_steps(Local local) const;
  // The most characters that may come next as a set, the widest of the sets here and soon behind
  // it; null if there is none. `here`: they may come right here.
  struct Widest {
    const Utf8Automaton::Ranges* characters;
    bool here;
  };
  Widest widest(Local local);

  // Bytes with the same number lead to the same states.
  uint8_t byte_class(uint8_t byte) const { return classes_[byte]; }
  size_t class_count() const { return class_count_; }

  size_t bytes() const;

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX - 1;

  struct PlaceInRule {
    GrammarGraph::Place place;
    Spot behind;  // where the rule returns; kNone for the end of the local state's own rule
  };
  // An index of spots_ rather than a place.
  static constexpr Spot kSpot = Spot{1} << 31;

  // What stands at a place, and the spot behind it.
  using Element = uint64_t;
  enum Tag : uint64_t { kCharacter, kToken, kCall, kReturn };

  struct Entry {
    uint32_t begin;  // its elements
    uint32_t count;
    uint32_t table;  // of the next ones
    uint32_t calls;  // where they begin; kNone until they are wanted
    uint32_t call_count;
    Properties properties;
  };

  static Element element(Tag tag, uint32_t subject, uint32_t next) {
    return tag << 62 | Element{subject} << 32 | next;
  }
  static Tag tag_of(Element element) { return static_cast<Tag>(element >> 62); }
  static uint32_t subject_of(Element element) {
    return static_cast<uint32_t>(element >> 32) & 0x3FFFFFFF;
  }
  static uint32_t next_of(Element element) { return static_cast<uint32_t>(element); }

  void classify_bytes();
  void begin_set();
  void close(Spot spot);
  bool meet(Spot spot);
  Spot spot(GrammarGraph::Place place, Spot behind);
  Spot copy_spot(const LocalStates& from, Spot copied);
  Local intern();
  Local make_next(Local local, uint8_t byte);
  void open_calls(Local local);

  GrammarGraph& graph_;
  GrammarWork& work_;
  uint8_t classes_[256] = {};
  size_t class_count_ = 1;

  std::vector<Element> elements_;
  std::vector<Entry> entries_;
  std::vector<Call> calls_;
  std::vector<uint32_t> tables_;
  std::vector<PlaceInRule> spots_;
  HashIndex index_;
  HashIndex spot_index_;

  // Reused: the elements of the one that is being made.
  std::vector<Element> found_;
  std::vector<Spot> to_close_;
  // By place, and by index of spots_: the last round that it was met in.
  std::vector<uint32_t> places_met_;
  std::vector<uint32_t> spots_met_;
  uint32_t round_ = 0;
};

}  // namespace cria
