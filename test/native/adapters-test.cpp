// How texts with different adapters share what is cached, and how loading adapters keeps apart from
// evaluations.

#include <atomic>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/adapters/adapter_set.h"
#include "core/model/evaluation_gate.h"
#include "harness.h"

using cria::AdaptationKey;
using cria::AdapterSet;
using cria::EvaluationGate;

namespace {

constexpr int32_t kAll = std::numeric_limits<int32_t>::max();

const AdapterSet::Key kNone;
const AdapterSet::Key kOne{{1, 1.0F}};
const AdapterSet::Key kHalf{{1, 0.5F}};
const AdapterSet::Key kTwo{{1, 1.0F}, {2, 1.0F}};

// Token by token.
int32_t plainly(const AdaptationKey& a, const AdaptationKey& b) {
  constexpr int32_t kLongEnough = 40;
  const auto at = [](const AdaptationKey& key, int32_t position) {
    return position < key.from ? key.before : key.after;
  };
  for (int32_t position = 0; position < kLongEnough; ++position)
    if (at(a, position) != at(b, position)) return position;
  return kAll;
}

}  // namespace

TEST(texts_agree_as_far_as_their_adapters_are_the_same) {
  std::vector<AdaptationKey> keys;
  for (const AdapterSet::Key& before : {kNone, kOne, kHalf}) {
    for (const AdapterSet::Key& after : {kNone, kOne, kHalf, kTwo})
      for (const int32_t from : {0, 1, 7, 30})
        keys.push_back({before, after, from});
  }
  for (const AdaptationKey& a : keys) {
    for (const AdaptationKey& b : keys) {
      CHECK_EQ(a.agreement(b), plainly(a, b));
      CHECK_EQ(b.agreement(a), plainly(a, b));
    }
    CHECK_EQ(a.agreement(a), kAll);
  }
}

// Nobody is inside while one loads, and loaders are not kept waiting by evaluations without end.
TEST(loading_keeps_apart_from_evaluations) {
  EvaluationGate gate;
  std::atomic<bool> stop{false};
  std::atomic<int> inside{0};
  std::atomic<int> evaluations{0};
  std::atomic<int> met{0};
  std::vector<std::thread> contexts;
  for (int i = 0; i < 3; ++i) {
    contexts.emplace_back([&] {
      while (!stop.load()) {
        const EvaluationGate::Pass pass(gate);
        ++inside;
        ++evaluations;
        std::this_thread::yield();
        --inside;
      }
    });
  }
  while (evaluations.load() == 0)
    std::this_thread::yield();
  std::vector<std::thread> loaders;
  for (int i = 0; i < 2; ++i) {
    loaders.emplace_back([&] {
      for (int load = 0; load < 200; ++load) {
        gate.load([&]() -> llama_adapter_lora* {
          met += inside.load();
          std::this_thread::yield();
          met += inside.load();
          return nullptr;
        });
      }
    });
  }
  for (std::thread& loader : loaders)
    loader.join();
  stop.store(true);
  for (std::thread& context : contexts)
    context.join();
  CHECK_EQ(met.load(), 0);
}

TEST(a_failed_load_opens_the_gate_again) {
  EvaluationGate gate;
  bool failed = false;
  try {
    gate.load([]() -> llama_adapter_lora* { throw std::runtime_error("no adapter"); });
  } catch (const std::runtime_error&) {
    failed = true;
  }
  CHECK(failed);
  const EvaluationGate::Pass pass(gate);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
