// cria::Cache on a llama_context of its own, in both layouts: which slot a task gets, with what in
// it, and that what is left in a slot is what the logits say.
//
//   cria-cache-test MODEL [tests…]

#include "core/engine/cache.h"

#include <cmath>
#include <functional>
#include <optional>

#include "demo.h"

using cria::Cache;
using cria::kNoSlot;
using cria::Lookup;
using cria::Reuse;
using cria::Slot;
using cria::Tokens;
using demo::first;
using demo::joined;
using demo::Shape;

namespace {

// What copying costs by the tests' account, and what evaluating costs: a copy is worth it from 10
// tokens in a hundred on.
constexpr double kCopyMs = 0.1;
constexpr double kEvaluationMs = 1;

// Of a task that wants the logits behind its last token.
Lookup lookup(const Tokens& tokens, Reuse reuse) {
  return {tokens, static_cast<int32_t>(tokens.size()) - 1, reuse};
}

struct Rig {
  explicit Rig(const Shape& shape)
      : context(demo::make_context(shape)),
        cache(context.get(), shape.sequences, {shape.shared, shape.micro_batch, kCopyMs}) {}

  Slot take(const Tokens& tokens, Reuse reuse = Reuse::kAny) {
    const std::optional<Slot> slot = cache.take(lookup(tokens, reuse), kEvaluationMs);
    CHECK(slot.has_value());
    return *slot;
  }

  bool has_slot(const Tokens& tokens) {
    return cache.take(lookup(tokens, Reuse::kAny), kEvaluationMs).has_value();
  }
  int32_t longest_prefix(const Tokens& tokens, Reuse reuse) const {
    return cache.longest_prefix(lookup(tokens, reuse));
  }

  // Evaluates the rest of these tokens behind those that lie there.
  std::vector<float> fill(Slot slot, const Tokens& tokens) {
    const auto begin = static_cast<size_t>(cache.length(slot));
    std::vector<float> logits = demo::decode(context.get(), slot, tokens, begin, tokens.size());
    const auto count = static_cast<int32_t>(tokens.size() - begin);
    cache.append(slot, tokens.data() + begin, count, count >= cria::kLeastRows);
    return logits;
  }

  // A slot that had these tokens and is free again.
  Slot leave(const Tokens& tokens) {
    const Slot slot = take(tokens);
    fill(slot, tokens);
    cache.give_back(slot);
    return slot;
  }

  int32_t positions(Slot slot) const {
    return llama_memory_seq_pos_max(llama_get_memory(context.get()), slot) + 1;
  }

  demo::ContextPtr context;
  Cache cache;
};

// Streams of their own as in use, where a piece is computed as alone; both layouts where nothing is
// rounded to fewer than 32 bits, since a pool has other cells between, which changes the order of
// sums.
void for_each_layout(const std::function<void(const Shape&)>& body) {
  Shape shape;
  body(shape);
  const demo::Unrounded model;
  shape.rounds = false;
  body(shape);
  shape.shared = true;
  body(shape);
}

std::vector<Tokens> some_tokens(size_t count, size_t length) {
  std::mt19937 random(17);
  std::vector<Tokens> all;
  for (size_t i = 0; i < count; ++i)
    all.push_back(demo::random_tokens(random, length));
  return all;
}

// The logits of the last token after these batches, in a context where nothing else is.
std::vector<float> alone(const Tokens& tokens, const std::vector<size_t>& borders,
                         const Shape& like) {
  Shape shape = like;
  shape.sequences = 1;
  shape.shared = false;
  const demo::ContextPtr context = demo::make_context(shape);
  std::vector<float> logits;
  size_t begin = 0;
  for (const size_t end : borders) {
    logits = demo::decode(context.get(), 0, tokens, begin, end);
    begin = end;
  }
  return logits;
}

// Bit for bit in a stream of its own; in a pool, but for the order of sums.
void check_logits(const std::vector<float>& got, const std::vector<float>& expected,
                  const Shape& shape) {
  CHECK(demo::distance(got, expected) <= (shape.shared ? demo::kNearTie : 0.0F));
}

}  // namespace

TEST(the_first_that_is_empty_then_the_least_recently_used) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(6, 20);
    for (Slot slot = 0; slot < 4; ++slot)
      CHECK_EQ(rig.leave(texts[static_cast<size_t>(slot)]), slot);
    CHECK_EQ(rig.take(texts[1]), 1);  // used again: 0 is the oldest now, and 2 the next
    rig.cache.give_back(1);
    CHECK_EQ(rig.take(texts[4]), 0);
    CHECK_EQ(rig.cache.length(0), 0);
    CHECK_EQ(rig.positions(0), 0);
    CHECK_EQ(rig.take(texts[5]), 2);
    CHECK_EQ(rig.take(texts[3]), 3);
    CHECK_EQ(rig.cache.length(3), 19);
    CHECK_EQ(rig.take(texts[1]), 1);
    CHECK(!rig.cache.has_free());
    CHECK(!rig.has_slot(texts[0]));
    CHECK(!rig.cache.take_highest().has_value());
  });
}

TEST(a_slot_whose_tokens_mostly_stay_is_used_itself) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(3, 100);
    const Tokens& kept = texts[0];
    const Slot slot = rig.leave(kept);
    const Tokens wanted = joined(first(kept, 90), first(texts[1], 8));
    CHECK_EQ(rig.take(wanted), slot);
    CHECK_EQ(rig.cache.length(slot), 90);
    CHECK(rig.cache.tokens(slot) == first(kept, 90));
    CHECK_EQ(rig.positions(slot), 90);
    const std::vector<float> logits = rig.fill(slot, wanted);
    // What stays was evaluated in a larger piece.
    if (!shape.rounds)
      CHECK(demo::distance(logits, alone(wanted, {90, 98}, shape)) <= demo::kNearTie);
  });
}

TEST(of_a_slot_that_would_lose_most_the_beginning_is_copied) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(2, 100);
    const Slot kept = rig.leave(texts[0]);
    const Slot slot = rig.take(joined(first(texts[0], 30), texts[1]));
    CHECK(slot != kept);
    CHECK_EQ(rig.cache.length(slot), 30);
    CHECK_EQ(rig.positions(slot), 30);
    CHECK_EQ(rig.cache.length(kept), 100);
    CHECK_EQ(rig.positions(kept), 100);
  });
}

TEST(what_somebody_uses_is_copied_and_says_the_same) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(3, 100);
    const Slot busy = rig.take(texts[0]);
    rig.fill(busy, texts[0]);
    const Tokens longer = joined(texts[0], first(texts[1], 20));
    const Slot slot = rig.take(longer);
    CHECK(slot != busy);
    CHECK_EQ(rig.cache.length(slot), 100);
    check_logits(rig.fill(slot, longer), alone(longer, {100, 120}, shape), shape);
    // The original goes on as if nothing had been taken from it.
    const Tokens other = joined(texts[0], first(texts[2], 20));
    check_logits(rig.fill(busy, other), alone(other, {100, 120}, shape), shape);
    CHECK_EQ(rig.longest_prefix(longer, Reuse::kAny), 119);
  });
}

TEST(a_few_tokens_are_copied_only_where_that_costs_nothing) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(2, 100);
    rig.fill(rig.take(texts[0]), texts[0]);
    const Slot slot = rig.take(joined(first(texts[0], 9), texts[1]));
    CHECK_EQ(rig.cache.length(slot), shape.shared ? 9 : 0);
  });
}

TEST(an_exact_prefix_leaves_some_rows_and_whole_micro_batches) {
  struct Case {
    int32_t common, length, expected;
  };
  for (const auto& [common, length, expected] : std::vector<Case>{
           {0, 10, 0},
           {9, 10, 0},        // a prompt of fewer rows is evaluated whole
           {15, 16, 0},       // so is one of as many
           {63, 64, 48},      // sixteen are left
           {100, 116, 100},   // they are
           {100, 115, 99},    // a token less
           {511, 512, 496},   // of a micro-batch
           {512, 1024, 512},  // at its border
           {500, 530, 496},   // before the border, though 18 come behind it
           {520, 530, 514},   // behind it: those are a micro-batch of their own
           {520, 527, 512},   // a small one
           {600, 2000, 600},
           {1023, 1024, 1008},
       }) {
    const cria::Borders borders{length, cria::kNoCuts, 512};
    CHECK_EQ(borders.exact_prefix(common), expected);
  }
}

TEST(behind_a_cut_an_exact_prefix_costs_only_what_comes_then) {
  const cria::Cuts cuts{300};
  const cria::Borders borders{330, cuts, 512};
  CHECK_EQ(borders.exact_prefix(329), 314);
  CHECK_EQ(borders.exact_prefix(300), 300);
  CHECK_EQ(borders.exact_prefix(299), 284);
  const cria::Cuts later{1100};
  const cria::Borders longer{1130, later, 512};
  CHECK_EQ(longer.exact_prefix(1100), 1100);
  CHECK_EQ(longer.exact_prefix(1099), 1084);
  CHECK_EQ(longer.exact_prefix(1030), 1030);
  CHECK_EQ(longer.exact_prefix(512), 512);
}

TEST(a_cut_behind_each_message_but_for_the_shortest) {
  const cria::Vocabulary& vocabulary = demo::model()->vocabulary();
  const auto cuts = [&](std::vector<size_t> ends, size_t length) {
    Tokens tokens(length, 100);
    for (const size_t end : ends)
      tokens[end - 1] = vocabulary.eot();
    return cria::message_ends(tokens, vocabulary);
  };
  CHECK(cuts({}, 500) == cria::Cuts{});
  CHECK(cuts({15}, 500) == cria::Cuts{});
  CHECK(cuts({16}, 17) == cria::Cuts{16});
  CHECK(cuts({16}, 16) == cria::Cuts{});  // its last token is evaluated in any case
  CHECK(cuts({20, 30, 36, 40}, 500) == (cria::Cuts{20, 36}));
  const cria::Cuts some{20, 700};
  const cria::Borders borders{900, some, 512};
  CHECK(borders.begin_at(20) && borders.begin_at(532) && borders.begin_at(700));
  CHECK_EQ(borders.around(600).end, 700);
  CHECK_EQ(borders.around(701).end, 900);
  CHECK_EQ((cria::Borders{900, some, 512, 100}.around(650).begin), 612);
}

TEST(only_what_was_evaluated_in_tiles_is_taken_over_exactly) {
  Rig rig({});
  const std::vector<Tokens> texts = some_tokens(3, 200);
  const Slot slot = rig.take(texts[0]);
  const Tokens prompt = first(texts[0], 150);
  rig.fill(slot, prompt);
  rig.fill(slot, first(texts[0], 151));  // generated, one by one
  rig.fill(slot, first(texts[0], 152));
  CHECK_EQ(rig.longest_prefix(joined(texts[0], texts[1]), Reuse::kAny), 152);
  CHECK_EQ(rig.longest_prefix(joined(texts[0], texts[1]), Reuse::kExact), 150);
  rig.cache.give_back(slot);

  const Tokens other = joined(first(texts[0], 120), first(texts[1], 100));
  CHECK_EQ(rig.take(other, Reuse::kExact), slot);
  CHECK_EQ(rig.cache.length(slot), 120);
  rig.fill(slot, other);
  CHECK_EQ(rig.longest_prefix(joined(other, texts[2]), Reuse::kExact), 220);
  rig.cache.trim(slot, 100);
  CHECK_EQ(rig.longest_prefix(other, Reuse::kExact), 100);
}

TEST(nothing_is_reused_where_nothing_may_be) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const Tokens text = some_tokens(1, 50)[0];
    rig.leave(text);
    for (int i = 0; i < 4; ++i)
      CHECK_EQ(rig.cache.length(rig.take(text, Reuse::kNone)), 0);
    CHECK_EQ(rig.cache.cached_tokens(), 0);
  });
}

TEST(cut_to_every_length) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const Tokens text = some_tokens(1, 40)[0];
    std::vector<std::vector<float>> expected;
    Shape single = shape;
    single.sequences = 1;
    single.shared = false;
    const demo::ContextPtr fresh = demo::make_context(single);
    for (size_t i = 0; i < text.size(); ++i)
      expected.push_back(demo::decode(fresh.get(), 0, text, i, i + 1));

    const Slot slot = rig.take(text);
    for (size_t i = 0; i < text.size(); ++i)
      rig.fill(slot, first(text, i + 1));
    for (int32_t length = 39; length >= 0; --length) {
      CHECK_EQ(rig.cache.trim(slot, length), length);
      CHECK_EQ(rig.cache.length(slot), length);
      CHECK_EQ(rig.positions(slot), length);
      const auto next = static_cast<size_t>(length);
      check_logits(rig.fill(slot, first(text, next + 1)), expected[next], shape);
      CHECK_EQ(rig.cache.trim(slot, length), length);
    }
  });
}

TEST(forgotten_in_the_order_of_use_and_never_while_used) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(4, 30);
    for (const Tokens& text : texts)
      rig.leave(text);
    CHECK_EQ(rig.take(texts[0]), 0);
    CHECK(rig.cache.evict());
    CHECK_EQ(rig.positions(1), 0);
    CHECK_EQ(rig.cache.length(1), 0);
    CHECK_EQ(rig.cache.length(2), 30);
    while (rig.cache.evict()) {
    }
    CHECK_EQ(rig.cache.cached_tokens(), 29);
    CHECK_EQ(rig.positions(0), 29);
    CHECK(!rig.cache.evict());
  });
}

// Separate streams alone have a reason to exchange.
TEST(exchanged_slots_say_what_each_said) {
  const std::vector<Tokens> texts = some_tokens(4, 60);
  for (const size_t own : {size_t{0}, size_t{60}}) {
    for (const size_t theirs : {size_t{0}, size_t{60}}) {
      const Shape shape;
      Rig rig(shape);
      const Tokens left = first(texts[1], theirs);
      const Slot taken = rig.take(texts[0]);
      const Slot hole = rig.take(texts[1]);
      if (theirs > 0) rig.fill(hole, left);
      rig.cache.give_back(hole);
      if (own > 0) rig.fill(taken, first(texts[0], own));

      CHECK(rig.cache.swap(taken, hole));
      CHECK(rig.cache.in_use(hole));
      CHECK(!rig.cache.in_use(taken));
      CHECK_EQ(rig.cache.length(hole), static_cast<int32_t>(own));
      CHECK_EQ(rig.positions(hole), static_cast<int32_t>(own));
      CHECK_EQ(rig.cache.length(taken), static_cast<int32_t>(theirs));
      CHECK_EQ(rig.positions(taken), static_cast<int32_t>(theirs));
      const Tokens mine = joined(first(texts[0], own), texts[2]);
      const auto check = [&](Slot slot, const Tokens& tokens, size_t before) {
        std::vector<size_t> borders{before, before + 60};
        if (before == 0) borders.erase(borders.begin());
        check_logits(rig.fill(slot, tokens), alone(tokens, borders, shape), shape);
      };
      check(hole, mine, own);
      check(taken, joined(left, texts[3]), theirs);
    }
  }
}

TEST(a_state_is_put_back_or_leaves_nothing) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(3, 50);
    const Slot from = rig.take(texts[0]);
    rig.fill(from, texts[0]);
    const std::vector<uint8_t> state = rig.cache.state(from);
    const Slot to = rig.take(texts[1]);
    rig.fill(to, texts[1]);

    CHECK(rig.cache.restore(to, texts[0], state));
    const Tokens longer = joined(texts[0], texts[2]);
    check_logits(rig.fill(to, longer), alone(longer, {50, 100}, shape), shape);

    const auto refused = [&](const Tokens& tokens, const std::vector<uint8_t>& bytes) {
      CHECK(!rig.cache.restore(to, tokens, bytes));
      CHECK_EQ(rig.cache.length(to), 0);
      CHECK_EQ(rig.positions(to), 0);
    };
    refused(first(texts[0], 49), state);
    refused(texts[0], {state.begin(), state.end() - 1});
    refused(texts[0], std::vector<uint8_t>(state.size()));
    refused(texts[0], {});
    CHECK(rig.cache.restore(to, {}, {}));
    CHECK_EQ(rig.cache.length(to), 0);
    // A sequence whose end the cache lacked when it was saved.
    CHECK(rig.cache.restore(to, longer, state));
    CHECK(rig.cache.tokens(to) == texts[0]);
    check_logits(rig.fill(to, longer), alone(longer, {50, 100}, shape), shape);
    check_logits(rig.fill(from, longer), alone(longer, {50, 100}, shape), shape);
  });
}

TEST(who_stays_gets_the_highest_and_what_lay_there_moves) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(4, 40);
    for (const Tokens& text : texts)
      rig.leave(text);
    CHECK_EQ(*rig.cache.take_highest(), 3);
    CHECK_EQ(rig.positions(3), 0);
    CHECK(rig.cache.tokens(0) == texts[3]);  // the oldest made way
    CHECK(!rig.cache.in_use(0));
    check_logits(rig.fill(0, joined(texts[3], texts[0])),
                 alone(joined(texts[3], texts[0]), {40, 80}, shape), shape);
  });
}

TEST(an_empty_slot_that_was_just_left_is_room_for_what_must_move) {
  for_each_layout([](const Shape& shape) {
    Rig rig(shape);
    const std::vector<Tokens> texts = some_tokens(4, 40);
    for (const Tokens& text : texts)
      rig.leave(text);
    CHECK_EQ(rig.take(texts[0]), 0);
    rig.cache.give_back_empty(0);
    CHECK_EQ(*rig.cache.take_highest(), 3);
    CHECK(rig.cache.tokens(0) == texts[3]);
  });
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
