// cria::LogitScan and the log-probabilities against plain loops over everything.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "core/sampling/logit_scan.h"
#include "core/sampling/logprobs.h"
#include "harness.h"

using cria::LogitScan;

namespace {

using Logits = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

int32_t size(const Logits& logits) { return static_cast<int32_t>(logits.size()); }

Logits made(size_t length, const std::function<float()>& logit) {
  Logits logits(length);
  std::generate(logits.begin(), logits.end(), logit);
  return logits;
}

Logits normal(std::mt19937& random, size_t length, float deviation = 3.0F) {
  std::normal_distribution<float> distribution;  // whose own deviation must not be 0
  return made(length, [&] { return deviation * distribution(random); });
}

LogitScan scan_of(const Logits& logits) {
  LogitScan scan;
  scan.read(logits.data(), size(logits));
  return scan;
}

void check_largest(const Logits& logits, int32_t count) {
  std::vector<llama_token_data> expected;
  for (size_t i = 0; i < logits.size(); ++i)
    expected.push_back({static_cast<llama_token>(i), logits[i], 0.0F});
  const size_t kept = std::min(expected.size(), static_cast<size_t>(std::max(count, 0)));
  std::partial_sort(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(kept),
                    expected.end(), [](const auto& a, const auto& b) {
                      return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
                    });
  std::vector<llama_token_data> got{{-1, 0.0F, 0.0F}};
  scan_of(logits).largest(count, got);
  CHECK_EQ(got.size(), kept);
  for (size_t i = 0; i < kept; ++i) {
    CHECK_EQ(got[i].id, expected[i].id);
    CHECK_EQ(got[i].logit, expected[i].logit);
  }
}

void check_argmax(const Logits& logits) {
  const LogitScan scan = scan_of(logits);
  CHECK(scan.usable());
  const auto best = std::max_element(logits.begin(), logits.end());
  CHECK_EQ(scan.max(), *best);
  CHECK_EQ(scan.argmax(), best - logits.begin());
}

double exact_log_sum_exp(const Logits& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits)
    sum += std::exp(logit - max);
  return max + std::log(sum);
}

}  // namespace

TEST(argmax_of_any_length) {
  std::mt19937 random(1);
  for (size_t length = 1; length < 5'000; length += 1 + length / 64)
    check_argmax(normal(random, length));
}

TEST(argmax_takes_the_first_of_equals) {
  std::mt19937 random(2);
  for (int round = 0; round < 2'000; ++round) {
    check_argmax(
        made(1 + random() % 6'000, [&] { return static_cast<float>(random() % 3) - 1.0F; }));
  }
}

TEST(argmax_passes_over_minus_infinity) {
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    Logits logits(1 + random() % 3'000, -kInfinity);
    logits[random() % logits.size()] = -static_cast<float>(random() % 1'000);
    check_argmax(logits);
  }
}

TEST(what_cannot_be_chosen_from_is_told) {
  CHECK(!scan_of({}).usable());
  std::mt19937 random(4);
  for (const size_t length : {1U, 31U, 32U, 2'048U, 2'049U, 10'000U}) {
    CHECK(!scan_of(Logits(length, -kInfinity)).usable());
    for (const float bad : {kNaN, -kNaN, kInfinity}) {
      CHECK(!scan_of(Logits(length, bad)).usable());
      for (const size_t at : {size_t{0}, length / 2, length - 1}) {
        Logits logits = normal(random, length);
        logits[at] = bad;
        CHECK(!scan_of(logits).usable());
        for (float& logit : logits)
          logit = logit == bad || std::isnan(logit) ? logit : -kInfinity;
        CHECK(!scan_of(logits).usable());
      }
    }
  }
}

TEST(numbers_too_large_to_add_up_are_numbers) {
  Logits logits(5'000, std::numeric_limits<float>::max());
  for (size_t i = 0; i < logits.size(); i += 2)
    logits[i] = -kInfinity;
  check_argmax(logits);
  for (size_t i = 0; i < logits.size(); i += 32)
    logits[i] = -std::numeric_limits<float>::max();
  check_argmax(logits);
}

TEST(largest_are_those_of_a_sort) {
  std::mt19937 random(5);
  for (const size_t length : {1U, 2U, 40U, 1'691U, 2'048U, 2'050U, 32'000U, 128'256U}) {
    const Logits smooth = normal(random, length);
    const Logits equals = made(length, [&] { return static_cast<float>(random() % 7); });
    const Logits rare = made(length, [&] {
      return random() % 50 == 0 ? static_cast<float>(random() % 90) : -kInfinity;
    });
    Logits rising(length);
    for (size_t i = 0; i < length; ++i)
      rising[i] = static_cast<float>(i);
    for (const int32_t count : {0, 1, 2, 20, 41, 105, 1'024, 5'000, 200'000}) {
      check_largest(smooth, count);
      check_largest(equals, count);
      check_largest(rare, count);
      check_largest(rising, count);
      check_largest(Logits(length, 1.5F), count);
      check_largest(Logits(length, -kInfinity), count);
    }
  }
}

TEST(log_sum_exp_is_that_of_doubles) {
  std::mt19937 random(6);
  for (const size_t length : {1U, 5U, 511U, 512U, 513U, 1'691U, 128'256U}) {
    for (const float deviation : {0.0F, 0.1F, 1.0F, 3.0F, 30.0F, 300.0F, 1e30F}) {
      Logits logits = normal(random, length, deviation);
      if (deviation == 3.0F && length > 1) logits[length / 2] = -kInfinity;
      const double expected = exact_log_sum_exp(logits);
      const double got = cria::log_sum_exp(logits.data(), size(logits));
      CHECK(std::abs(got - expected) <= 1e-6 + 1e-12 * std::abs(expected));
    }
  }
  const Logits none(1'000, -kInfinity);
  CHECK_EQ(cria::log_sum_exp(none.data(), 1'000), -static_cast<double>(kInfinity));
  Logits broken(1'000, 1.0F);
  broken[700] = kNaN;
  CHECK(std::isnan(cria::log_sum_exp(broken.data(), 1'000)));
}

TEST(top_logprobs_are_the_models_own) {
  std::mt19937 random(7);
  std::vector<cria::TokenLogprob> got{{99, -1.0F}};
  Logits logits = normal(random, 128'256);
  logits[5] = -kInfinity;
  const double total = exact_log_sum_exp(logits);
  for (const int32_t n : {0, 1, 5, 20}) {
    got.resize(1);
    cria::top_logprobs(logits.data(), size(logits), 77, n, got);
    CHECK_EQ(got.size(), static_cast<size_t>(n) + 2);
    CHECK_EQ(got[0].token, 99);
    CHECK_EQ(got[1].token, 77);
    CHECK(std::abs(got[1].logprob - (logits[77] - total)) < 1e-5);
    Logits left = logits;
    for (size_t i = 2; i < got.size(); ++i) {
      const auto best = std::max_element(left.begin(), left.end());
      CHECK_EQ(got[i].token, best - left.begin());
      CHECK(std::abs(got[i].logprob - (*best - total)) < 1e-5);
      *best = -kInfinity;
    }
  }
  got.clear();
  cria::top_logprobs(logits.data(), size(logits), 5, 0, got);
  CHECK_EQ(got[0].logprob, -kInfinity);
  for (const Logits& few : {Logits{1.0F, kNaN}, Logits(2, -kInfinity), Logits{0.0F, 0.0F}}) {
    got.clear();
    cria::top_logprobs(few.data(), 2, 1, 3, got);
    CHECK_EQ(got.size(), 4U);
    CHECK(std::isnan(got[3].logprob));
  }
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
