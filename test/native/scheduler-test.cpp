// cria::Scheduler step by step, without the thread around it: who gets a slot and when, with what
// in it, and that nobody's tokens depend on who else is there.
//
//   cria-scheduler-test MODEL [tests…]

#include "core/engine/scheduler.h"

#include <deque>
#include <functional>
#include <limits>
#include <map>

#include "demo.h"

using cria::Slot;
using cria::Tokens;
using demo::first;
using demo::joined;
using demo::Shape;

namespace {

// What became of one task.
struct Record {
  Tokens prompt;
  Tokens generated;
  std::vector<int> steps;    // of the scheduler, in which each was chosen
  std::vector<Slot> slots;   // where
  std::vector<int32_t> had;  // tokens in its slot, each time it got one
  bool ended = false;
  bool cancelled = false;
  std::string failure;
  double max_pause = 50;
  std::function<const Tokens&()> draft;  // none: never one
  int32_t proposed = 0;
  int32_t accepted = 0;
  std::shared_ptr<cria::Order> order = std::make_shared<cria::Order>();
};

// Greedy, to a number of tokens.
class Probe : public cria::Task {
 public:
  Probe(Record& record, size_t max_tokens, bool reuses, const int& clock)
      : Task(record.order, record.prompt),
        record_(record),
        max_tokens_(max_tokens),
        reuses_(reuses),
        clock_(clock) {}

  void enter(Slot slot, int32_t evaluated) override {
    Task::enter(slot, evaluated);
    record_.had.push_back(evaluated);
  }
  cria::Reuse reuse() const override { return reuses_ ? cria::Reuse::kAny : cria::Reuse::kNone; }
  double max_pause() const override { return record_.max_pause; }
  const Tokens& draft(int32_t /*room*/) override {
    return record_.draft ? record_.draft() : cria::kNoTokens;
  }
  void drafted(int32_t proposed, int32_t accepted) override {
    record_.proposed += proposed;
    record_.accepted += accepted;
  }
  bool step(const float* logits, int32_t context_size, cria::Outbox&) override {
    add(demo::likeliest(logits));
    record_.generated.push_back(tokens().back());
    record_.steps.push_back(clock_);
    record_.slots.push_back(slot());
    record_.ended = record_.generated.size() == max_tokens_ || length() >= context_size;
    return record_.ended;
  }
  void cancel(cria::Outbox&) override { record_.ended = record_.cancelled = true; }
  void fail(cria::Failure failure, cria::Outbox&) override {
    record_.ended = true;
    record_.failure = failure.code + ": " + failure.message;
  }

 private:
  Record& record_;
  const size_t max_tokens_;
  const bool reuses_;
  const int& clock_;
};

class Rig {
 public:
  explicit Rig(const Shape& shape)
      : context(demo::make_context(shape)),
        scheduler(context.get(), gate, limits(context.get(), shape), outbox),
        shape_(shape) {}

  Record& add(const Tokens& prompt, size_t max_tokens, bool reuses = true) {
    Record& record = records.emplace_back();
    record.prompt = prompt;
    scheduler.add(std::make_unique<Probe>(record, max_tokens, reuses, clock));
    return record;
  }
  void step() {
    ++clock;
    scheduler.step();
  }
  void finish() {
    const auto ended = [](const Record& record) { return record.ended; };
    for (int steps = 0; !std::all_of(records.begin(), records.end(), ended); ++steps) {
      CHECK(steps < 20'000);
      step();
    }
  }
  int64_t evaluated() const { return scheduler.counters().decoded_tokens.load(); }
  // As alone, bit for bit where weights and cache are as in use; else but for the order of sums.
  void check(const Record& record, size_t tokens) const {
    CHECK_EQ(record.failure, "");
    CHECK_EQ(record.generated.size(), tokens);
    const float tolerance = shape_.rounds ? 0 : demo::kNearTie;
    CHECK(demo::gap(record.prompt, record.generated, shape_) <= tolerance);
  }

  std::deque<Record> records;  // before the scheduler, whose tasks write to them
  int clock = 0;
  demo::ContextPtr context;
  cria::EvaluationGate gate;
  cria::Outbox outbox{[] {}};
  cria::Scheduler scheduler;

 private:
  static cria::Limits limits(const llama_context* context, const Shape& shape) {
    return {shape.context_size,
            shape.sequences,
            static_cast<int32_t>(llama_n_batch(context)),
            static_cast<int32_t>(llama_n_ubatch(context)),
            shape.shared,
            1e-5};
  }
  const Shape shape_;
};

// Where what is added up comes in another order than alone: behind a prefix that was taken over, or
// with others' cells between.
void for_each_layout(Shape shape, const std::function<void(const Shape&)>& body) {
  const demo::Unrounded model;
  shape.rounds = false;
  for (const bool shared : {false, true}) {
    shape.shared = shared;
    body(shape);
  }
}

// Where nothing is taken over: in streams of their own all is computed as alone.
void exactly_and_for_each_layout(const Shape& shape,
                                 const std::function<void(const Shape&)>& body) {
  body(shape);
  for_each_layout(shape, body);
}

}  // namespace

TEST(a_prefix_of_many_is_evaluated_once) {
  for_each_layout({4}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(1);
    const Tokens prefix = demo::random_text(random, 128);
    for (int i = 0; i < 10; ++i)
      rig.add(joined(joined(prefix, {i + 1}), demo::random_text(random, 9)), 1);
    rig.finish();
    CHECK_EQ(rig.evaluated(), 128 + 10 * 10);
    for (const Record& record : rig.records) {
      CHECK_EQ(record.had[0], &record == &rig.records[0] ? 0 : 128);
      rig.check(record, 1);
    }
  });
}

TEST(equal_prompts_evaluate_their_last_token) {
  for_each_layout({2}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(2);
    const Tokens prompt = demo::random_text(random, 100);
    for (int i = 0; i < 4; ++i)
      rig.add(prompt, 1);
    rig.finish();
    CHECK_EQ(rig.evaluated(), 100 + 3);
    for (const Record& record : rig.records)
      rig.check(record, 1);
  });
}

TEST(who_waits_for_a_prefix_gets_what_there_is_when_that_is_cancelled) {
  for_each_layout({4, 512, false, 0, 64}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(3);
    const Tokens prefix = demo::random_text(random, 400);
    Record& awaited = rig.add(joined(prefix, {1}), 1);
    Record& waiting = rig.add(joined(prefix, {2}), 3);
    Record& stranger = rig.add(demo::random_text(random, 20), 3);
    rig.step();
    rig.step();
    CHECK(waiting.had.empty());
    CHECK_EQ(stranger.had.size(), size_t{1});  // it passes those that wait
    awaited.order->cancelled = true;
    rig.finish();
    CHECK(awaited.cancelled);
    CHECK(waiting.had[0] >= 60 && waiting.had[0] < 400);
    rig.check(waiting, 3);
    rig.check(stranger, 3);
  });
}

TEST(a_draft_that_fails_is_none) {
  for_each_layout({1}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(3);
    Record& record = rig.add(demo::random_text(random, 40), 12);
    record.draft = []() -> const Tokens& { throw cria::Error("ERR_GRAMMAR_INVALID", "Too much."); };
    rig.finish();
    rig.check(record, 12);
    CHECK_EQ(record.proposed, 0);
  });
}

TEST(of_a_draft_what_is_chosen_stays_and_nothing_else) {
  for_each_layout({2}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(4);
    const Tokens prompt = demo::random_text(random, 40);
    Record& plain = rig.add(prompt, 30);
    rig.finish();
    // Right, wrong from some place on, and wrong from the beginning, by turns.
    Record& guessing = rig.add(prompt, 30, /*reuses=*/false);
    Tokens draft;
    guessing.draft = [&]() -> const Tokens& {
      const size_t done = guessing.generated.size();
      draft.clear();
      for (size_t i = done; i < std::min(plain.generated.size(), done + 5); ++i)
        draft.push_back(plain.generated[i]);
      for (size_t i = done % 6; i < draft.size(); ++i)
        draft[i] = 1;
      return draft;
    };
    rig.finish();
    rig.check(guessing, 30);
    CHECK(guessing.accepted > 0);
    CHECK(guessing.accepted < guessing.proposed);
    CHECK(guessing.steps.back() - guessing.steps.front() < 29);
  });
}

TEST(those_that_go_on_are_neighbours) {
  std::mt19937 random(4);
  for (int round = 0; round < 6; ++round) {
    Rig rig({8});
    std::map<int, int> late;  // steps at which somebody joins
    for (int i = 0; i < 8; ++i) {
      const size_t length = 1 + random() % 100;
      rig.add(demo::random_text(random, length), 1 + random() % 40, false);
      ++late[static_cast<int>(3 + random() % 30)];
    }
    // Longer than what lies in any slot: nothing may be left of that.
    for (int steps = 0; steps < 40; ++steps) {
      rig.step();
      for (int i = 0; i < late[rig.clock]; ++i)
        rig.add(demo::random_text(random, 5 + random() % 150), 1 + random() % 40, false);
    }
    rig.finish();
    std::map<int, std::vector<Slot>> together;
    for (const Record& record : rig.records) {
      rig.check(record, record.generated.size());
      for (size_t i = 1; i < record.steps.size(); ++i)
        together[record.steps[i]].push_back(record.slots[i]);
    }
    // Once the queue is empty and no prompt is left there are no holes between them.
    for (auto& [step, slots] : together) {
      int prefilling = 0;
      for (const Record& record : rig.records)
        prefilling += record.steps[0] >= step ? 1 : 0;
      if (prefilling > 0) continue;
      std::sort(slots.begin(), slots.end());
      CHECK_EQ(slots.back() - slots.front() + 1, static_cast<Slot>(slots.size()));
    }
  }
}

TEST(a_short_prompt_passes_a_long_one) {
  exactly_and_for_each_layout({2, 4096, false, 0, 64}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(5);
    Record& slow = rig.add(demo::random_text(random, 1900), 2);
    rig.step();
    Record& quick = rig.add(demo::random_text(random, 90), 20);
    rig.finish();
    CHECK(quick.steps.front() <= 1 + 5);
    CHECK(slow.steps.front() > quick.steps.front() + 10);
    // While it evaluates, the other one has a token in every step.
    for (size_t i = 1; i < quick.steps.size(); ++i)
      CHECK_EQ(quick.steps[i], quick.steps[i - 1] + 1);
    rig.check(slow, 2);
    rig.check(quick, 20);
  });
}

// As prompts are cut where others generate: see kFewestRows.
TEST(rows_are_the_same_in_pieces_of_four) {
  constexpr size_t kLength = 700;
  const auto check = [] {
    std::mt19937 random(11);
    const Tokens prompt = demo::random_text(random, kLength);
    const demo::ContextPtr context = demo::make_context({2, 1024});
    for (size_t begin = 0; begin < kLength;) {
      const size_t end = begin + 512 < kLength ? 512 : kLength;
      const std::vector<float> whole = demo::decode(context.get(), 0, prompt, begin, end);
      std::vector<float> pieces;
      while (begin < end) {
        const size_t count = std::min<size_t>(4 * (1 + random() % 4), end - begin);
        pieces = demo::decode(context.get(), 1, prompt, begin, begin + count);
        begin += count;
      }
      CHECK_EQ(demo::distance(pieces, whole), 0.0F);
    }
  };
  check();
  for (const llama_ftype type : {LLAMA_FTYPE_ALL_F32, LLAMA_FTYPE_MOSTLY_F16,
                                 LLAMA_FTYPE_MOSTLY_Q4_0, LLAMA_FTYPE_MOSTLY_Q4_K_M}) {
    const demo::Requantized model(type);
    check();
  }
}

TEST(whoever_is_patient_lets_all_prompts_go_first) {
  constexpr double kForEver = std::numeric_limits<double>::infinity();
  {
    Rig rig({4, 2048, false, 0, 64});
    std::mt19937 random(8);
    for (const size_t length : {90, 600, 300})
      rig.add(demo::random_text(random, length), 20, false).max_pause = kForEver;
    rig.finish();
    // From the second token on they go in step.
    for (const Record& record : rig.records) {
      CHECK_EQ(record.steps[1], rig.records[0].steps[1]);
      rig.check(record, 20);
    }
  }
  // One who is not stops them all.
  Rig rig({3, 2048, false, 0, 64});
  std::mt19937 random(9);
  Record& reader = rig.add(demo::random_text(random, 90), 40, false);
  while (reader.steps.empty())
    rig.step();
  for (int i = 0; i < 2; ++i) {
    Record& record = rig.add(demo::random_text(random, 600), 5, false);
    record.max_pause = kForEver;
  }
  rig.finish();
  for (size_t i = 1; i < reader.steps.size(); ++i)
    CHECK_EQ(reader.steps[i], reader.steps[i - 1] + 1);
}

TEST(a_long_prompt_gets_through_a_stream_of_short_ones) {
  for_each_layout({4, 2048, false, 0, 64}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(6);
    Record& slow = rig.add(demo::random_text(random, 1280), 1);
    while (!slow.ended) {
      rig.step();
      CHECK(rig.clock <= 2 * (1280 / 64) + 3);
      for (int i = 0; i < 3; ++i)
        rig.add(demo::random_text(random, 64), 1);
    }
    CHECK(std::count_if(rig.records.begin(), rig.records.end(),
                        [](const Record& record) { return record.ended; }) > 10);
  });
}

TEST(without_cells_for_all_the_youngest_give_way_and_nobody_is_lost) {
  const demo::Unrounded model;
  Rig rig({6, 256, true, 256, 512, false});
  std::mt19937 random(7);
  for (int i = 0; i < 9; ++i)
    rig.add(demo::random_text(random, 30 + random() % 60), 60, i % 2 == 0);
  rig.finish();
  size_t entries = 0;
  for (const Record& record : rig.records) {
    rig.check(record, 60);
    entries += record.had.size();
  }
  CHECK(entries > rig.records.size());
  CHECK_EQ(rig.records[0].had.size(), size_t{1});  // the oldest never gives way
}

TEST(an_abort_in_the_middle_of_a_prompt_leaves_the_others_untouched) {
  struct Trap {
    Rig& rig;
    cria::Order* order = nullptr;
    int at = 0;     // cancels at this call
    int calls = 0;  // of ggml, while it is set
    static bool spring(void* data) {
      auto& self = *static_cast<Trap*>(data);
      if (self.order != nullptr && ++self.calls == self.at) self.order->cancelled = true;
      return self.rig.scheduler.decoding_in_vain();
    }
  };
  exactly_and_for_each_layout({4, 512}, [](const Shape& shape) {
    int calls = 0;  // in all, of the step that evaluates the prompts
    for (const double moment : {0.0, 0.1, 0.4, 0.6, 0.75, 0.9}) {
      Rig rig(shape);
      Trap trap{rig};
      llama_set_abort_callback(rig.context.get(), Trap::spring, &trap);
      std::mt19937 random(8);
      rig.add(demo::random_text(random, 40), 12, false);
      rig.add(demo::random_text(random, 70), 12, false);
      rig.step();
      rig.step();
      Record& aborted = rig.add(demo::random_text(random, 450), 5, false);
      Record& beside = rig.add(demo::random_text(random, 450), 5, false);
      trap.order = aborted.order.get();
      trap.at = static_cast<int>(calls * moment);
      rig.step();
      calls = std::max(calls, trap.calls);
      rig.finish();
      CHECK_EQ(aborted.cancelled, moment > 0);
      CHECK_EQ(aborted.generated.empty(), moment > 0);
      rig.check(rig.records[0], 12);
      rig.check(rig.records[1], 12);
      rig.check(beside, 5);
    }
  });
}

// Whoever holds a slot without a task gives it back in his own time, perhaps never; a task's slot
// comes free by itself.
TEST(who_waits_for_slots_that_are_held_is_told) {
  exactly_and_for_each_layout({2}, [](const Shape& shape) {
    Rig rig(shape);
    const Slot high = *rig.scheduler.cache().take_highest();
    Record& first_one = rig.add({1, 2, 3}, 4);
    Record& second = rig.add({4, 5, 6}, 2, false);
    rig.step();
    CHECK(second.had.empty());  // it waits for the first one's end
    rig.finish();
    rig.check(first_one, 4);
    rig.check(second, 2);

    const Slot low = *rig.scheduler.cache().take_highest();
    Record& dropped = rig.add({1, 2, 3}, 2);
    dropped.order->cancelled = true;
    Record& refused = rig.add({1, 2, 3}, 2);
    CHECK(!rig.scheduler.idle());
    rig.step();
    CHECK(dropped.cancelled);
    CHECK_EQ(refused.failure.substr(0, 17), "ERR_CONTEXT_FULL:");
    CHECK(refused.had.empty());
    CHECK(rig.scheduler.idle());
    rig.scheduler.cache().give_back(low);
    Record& record = rig.add({1, 2, 3}, 2);
    rig.finish();
    CHECK_EQ(record.slots[0], low);
    CHECK(rig.scheduler.cache().in_use(high));
    rig.check(record, 2);
  });
}

TEST(too_long_for_a_slot_or_as_long_as_one) {
  exactly_and_for_each_layout({2}, [](const Shape& shape) {
    Rig rig(shape);
    std::mt19937 random(9);
    const std::string failure = rig.add(demo::random_text(random, 257), 1).failure;
    CHECK_EQ(failure.substr(0, 17), "ERR_CONTEXT_FULL:");
    Record& whole = rig.add(demo::random_text(random, 256), 5);
    Record& nearly = rig.add(demo::random_text(random, 254), 5);
    rig.finish();
    rig.check(whole, 1);
    rig.check(nearly, 2);
  });
}

int main(int argc, char** argv) { return demo::run(argc, argv); }
