// plan_prefill as the function it is: examples, and what holds for any set of prompts.

#include "core/engine/plan.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/engine/piece_limit.h"
#include "harness.h"

using cria::Piece;
using cria::PlanLimits;
using cria::Slot;
using cria::Task;

namespace {

class Prompt : public Task {
 public:
  Prompt(Slot slot, int32_t length, int32_t start = 0)
      : Task(std::make_shared<cria::Order>(), cria::Tokens(static_cast<size_t>(length))) {
    enter(slot, start);
  }
  bool step(const float*, int32_t, cria::Outbox&) override { return true; }
  void cancel(cria::Outbox&) override {}

  // Of the micro-batch that is next, were it alone: where it ends, and its rows.
  int32_t border(int32_t micro_batch) const {
    const int32_t nth = (evaluated() - start()) / micro_batch + 1;
    return std::min(start() + nth * micro_batch, length());
  }
  int32_t rows_alone(int32_t micro_batch) const {
    return border(micro_batch) - (start() + (evaluated() - start()) / micro_batch * micro_batch);
  }
};

using Prompts = std::vector<std::unique_ptr<Prompt>>;

std::vector<Task*> unfinished(const Prompts& prompts) {
  std::vector<Task*> tasks;
  for (const auto& prompt : prompts) {
    if (prompt->pending() > 0) tasks.push_back(prompt.get());
  }
  return tasks;
}

// "slot:count" in the order of slots.
std::string plan(const Prompts& prompts, size_t first, const PlanLimits& limits) {
  std::vector<Piece> pieces = cria::plan_prefill(*prompts[first], unfinished(prompts), limits);
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.task->slot() < b.task->slot(); });
  std::string text;
  for (const Piece& piece : pieces) {
    if (!text.empty()) text += ' ';
    text += std::to_string(piece.task->slot()) + ":" + std::to_string(piece.count);
  }
  return text;
}

struct Given {
  Slot slot;
  int32_t length;
  int32_t start = 0;
};

Prompts make(const std::vector<Given>& all) {
  Prompts prompts;
  for (const Given& given : all)
    prompts.push_back(std::make_unique<Prompt>(given.slot, given.length, given.start));
  return prompts;
}

PlanLimits separate(int32_t rows, int32_t micro_batch = 512, int32_t least_piece = 64) {
  return {rows, micro_batch, false, least_piece};
}

PlanLimits shared(int32_t rows, int32_t micro_batch = 512) { return {rows, micro_batch, true, 1}; }

void check_shared(const std::vector<Piece>& pieces, const PlanLimits& limits) {
  int32_t rows = 0;
  for (const Piece& piece : pieces)
    rows += piece.count;
  CHECK(rows <= limits.rows);
}

void check_separate(std::vector<Piece> pieces, const PlanLimits& limits) {
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.task->slot() < b.task->slot(); });
  const int32_t count = pieces[0].count;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto& prompt = static_cast<const Prompt&>(*pieces[i].task);
    const int32_t rest = prompt.border(limits.micro_batch) - prompt.evaluated();
    CHECK_EQ(pieces[i].count, count);
    CHECK_EQ(pieces[i].task->slot(), pieces[0].task->slot() + static_cast<Slot>(i));
    // In the kernel class that it would be in alone, and what it leaves behind too.
    const int32_t alone = prompt.rows_alone(limits.micro_batch);
    const int32_t least = std::min(alone, alone < limits.least_piece ? 2 : limits.least_piece);
    CHECK(count >= least);
    CHECK(count == rest || rest - count >= least);
  }
  if (pieces.size() > 1) {
    CHECK(count * static_cast<int32_t>(pieces.size()) <= limits.rows);
  } else if (count > limits.rows) {
    // Either way, fewer would be a part of a piece.
    CHECK(count < 2 * limits.least_piece || count - limits.rows < limits.least_piece);
  }
}

// Serves them in any order until all are through.
void run(Prompts& prompts, std::mt19937& random, const PlanLimits& widest) {
  for (int steps = 0; !unfinished(prompts).empty(); ++steps) {
    CHECK(steps < 20'000);
    std::vector<Task*> tasks = unfinished(prompts);
    std::shuffle(tasks.begin(), tasks.end(), random);
    PlanLimits limits = widest;
    limits.rows = 1 + static_cast<int32_t>(random() % static_cast<uint32_t>(widest.rows));
    Task* first = tasks[random() % tasks.size()];
    const std::vector<Piece> pieces = cria::plan_prefill(*first, tasks, limits);

    CHECK(std::any_of(pieces.begin(), pieces.end(),
                      [first](const Piece& piece) { return piece.task == first; }));
    for (const Piece& piece : pieces) {
      const auto& prompt = static_cast<const Prompt&>(*piece.task);
      CHECK(piece.count > 0);
      CHECK(prompt.evaluated() + piece.count <= prompt.border(limits.micro_batch));
      CHECK_EQ(std::count_if(pieces.begin(), pieces.end(),
                             [&piece](const Piece& other) { return other.task == piece.task; }),
               1);
    }
    if (limits.shared) {
      check_shared(pieces, limits);
    } else {
      check_separate(pieces, limits);
    }
    for (const Piece& piece : pieces)
      piece.task->advance(piece.count);
  }
  for (const auto& prompt : prompts)
    CHECK_EQ(prompt->evaluated(), prompt->length());
}

Prompts random_prompts(std::mt19937& random) {
  const auto below = [&random](int32_t most) {
    return static_cast<int32_t>(random() % static_cast<uint32_t>(most));
  };
  std::vector<Slot> slots(16);
  std::iota(slots.begin(), slots.end(), 0);
  std::shuffle(slots.begin(), slots.end(), random);
  const bool alike = below(3) == 0;
  const int32_t length = 1 + below(700);
  std::vector<Given> all;
  for (int32_t i = 0, count = 1 + below(12); i < count; ++i) {
    const int32_t own = alike ? length : 1 + below(700);
    all.push_back({slots[static_cast<size_t>(i)], own, below(2) == 0 ? 0 : below(own)});
  }
  return make(all);
}

}  // namespace

TEST(alone_a_prompt_gets_whole_micro_batches) {
  const Prompts prompts = make({{3, 1200}});
  CHECK_EQ(plan(prompts, 0, separate(512)), "3:512");
  prompts[0]->advance(512);
  CHECK_EQ(plan(prompts, 0, separate(512)), "3:512");
  prompts[0]->advance(512);
  CHECK_EQ(plan(prompts, 0, separate(512)), "3:176");
  CHECK_EQ(plan(prompts, 0, shared(512)), "3:176");
}

TEST(borders_count_from_where_the_evaluation_began) {
  const Prompts prompts = make({{0, 1200, 100}});
  prompts[0]->advance(400);
  CHECK_EQ(plan(prompts, 0, separate(512)), "0:112");
  CHECK_EQ(plan(prompts, 0, shared(512)), "0:112");
}

TEST(a_piece_and_what_it_leaves_are_large_enough) {
  CHECK_EQ(plan(make({{0, 512}}), 0, separate(200)), "0:192");
  CHECK_EQ(plan(make({{0, 512}}), 0, separate(8)), "0:64");
  CHECK_EQ(plan(make({{0, 127}}), 0, separate(64)), "0:127");
  CHECK_EQ(plan(make({{0, 128}}), 0, separate(64)), "0:64");
  CHECK_EQ(plan(make({{0, 63}}), 0, separate(8)), "0:63");
  CHECK_EQ(plan(make({{0, 63}}), 0, separate(8, 512, 16)), "0:16");
  CHECK_EQ(plan(make({{0, 512}}), 0, separate(8, 512, 1)), "0:8");
  CHECK_EQ(plan(make({{0, 512}}), 0, shared(200)), "0:200");
}

TEST(equal_neighbours_go_together) {
  CHECK_EQ(plan(make({{2, 100}, {1, 100}, {0, 100}}), 0, separate(512)), "0:100 1:100 2:100");
  CHECK_EQ(plan(make({{2, 100}, {4, 100}, {1, 100}}), 0, separate(512)), "1:100 2:100");
  CHECK_EQ(plan(make({{4, 100}, {5, 100}, {6, 100}}), 0, separate(200)), "4:100 5:100");
}

TEST(the_count_is_that_with_which_most_goes_at_once) {
  CHECK_EQ(plan(make({{0, 100}, {1, 40}, {2, 40}, {3, 40}}), 0, separate(512, 512, 1)),
           "0:40 1:40 2:40 3:40");
  // Pieces of less are not for a prompt that would have larger ones, nor is a row for two.
  CHECK_EQ(plan(make({{0, 100}, {1, 40}, {2, 40}, {3, 40}}), 0, separate(512)), "0:100");
  CHECK_EQ(plan(make({{0, 60}, {1, 40}, {2, 40}}), 0, separate(512)), "0:40 1:40 2:40");
  CHECK_EQ(plan(make({{0, 2}, {1, 1}, {2, 1}}), 0, separate(512)), "0:2");
  CHECK_EQ(plan(make({{0, 3}, {1, 2}, {2, 2}}), 0, separate(512)), "0:3");
  CHECK_EQ(plan(make({{0, 180}, {1, 120}, {2, 130}}), 0, separate(512)), "0:180");
  CHECK_EQ(plan(make({{0, 200}, {1, 128}, {2, 192}}), 0, separate(512)), "0:128 1:128 2:128");
}

TEST(a_unified_kv_cache_takes_what_fits_beside_the_first) {
  const Prompts prompts = make({{0, 100}, {5, 100}, {3, 100}, {9, 400}});
  CHECK_EQ(plan(prompts, 2, shared(250)), "0:100 3:100 5:50");
  CHECK_EQ(plan(prompts, 3, shared(512)), "0:100 5:12 9:400");
  CHECK_EQ(plan(prompts, 3, shared(1)), "9:1");
}

TEST(any_prompts_in_separate_streams) {
  std::mt19937 random(1);
  for (int round = 0; round < 1500; ++round) {
    const std::vector<int32_t> sizes{1, 8, 63, 64, 65, 100, 128, 512};
    const std::vector<int32_t> least_pieces{1, 4, 16, 64};
    const int32_t micro_batch = sizes[random() % sizes.size()];
    Prompts prompts = random_prompts(random);
    run(prompts, random, separate(micro_batch, micro_batch, least_pieces[random() % 4]));
  }
}

TEST(any_prompts_in_a_unified_kv_cache) {
  std::mt19937 random(2);
  for (int round = 0; round < 1500; ++round) {
    const int32_t micro_batch = 1 + static_cast<int32_t>(random() % 512);
    Prompts prompts = random_prompts(random);
    run(prompts, random, shared(micro_batch, micro_batch));
  }
}

TEST(a_piece_that_nothing_stops_is_as_small_as_its_time_demands) {
  cria::PieceLimit limit(512, 16, /*timed=*/true);
  CHECK_EQ(limit.rows(), 512);
  limit.measured(512, 400);
  limit.measured(256, 200);
  CHECK_EQ(limit.rows(), 128);
  limit.measured(128, 40);  // neither long nor short: it stays
  CHECK_EQ(limit.rows(), 128);
  for (int i = 0; i < 10; ++i)
    limit.measured(limit.rows(), 1000);
  CHECK_EQ(limit.rows(), 16);
  limit.measured(3, 1);  // the end of a prompt says nothing about a whole piece
  CHECK_EQ(limit.rows(), 16);
  for (int i = 0; i < 10; ++i)
    limit.measured(limit.rows(), 1);
  CHECK_EQ(limit.rows(), 512);
}

TEST(a_piece_that_can_be_stopped_is_a_micro_batch) {
  cria::PieceLimit limit(512, 64, /*timed=*/false);
  limit.measured(512, 5000);
  CHECK_EQ(limit.rows(), 512);
  CHECK_EQ(cria::PieceLimit(8, 16, true).rows(), 8);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
