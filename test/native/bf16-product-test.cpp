// ggml's products of BF16 weights, by way of native/core/model/bf16_kernels.cpp, against sums in
// double precision of the same rounded numbers.
//
//   cria-bf16-product-test [tests…]

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "cpu_graph.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "harness.h"

namespace {

constexpr int64_t kOutputs = 40;

struct Case {
  int64_t width;
  int64_t rows;
  int threads;
};

std::vector<ggml_bf16_t> rounded(const Numbers& numbers) {
  std::vector<ggml_bf16_t> all;
  for (const float number : numbers)
    all.push_back(ggml_fp32_to_bf16(number));
  return all;
}

Numbers multiply(const Case& test, const std::vector<ggml_bf16_t>& weights, const Numbers& rows) {
  CpuGraph graph(test.threads);
  ggml_tensor* a = ggml_new_tensor_2d(graph.context(), GGML_TYPE_BF16, test.width, kOutputs);
  ggml_tensor* b = ggml_new_tensor_2d(graph.context(), GGML_TYPE_F32, test.width, test.rows);
  graph.end_with(ggml_mul_mat(graph.context(), a, b));
  graph.set(a, weights.data());
  graph.set(b, rows.data());
  return graph.compute();
}

// ggml rounds the rows, too.
Numbers wanted(const Case& test, const std::vector<ggml_bf16_t>& weights, const Numbers& rows) {
  const std::vector<ggml_bf16_t> others = rounded(rows);
  Numbers products;
  for (int64_t row = 0; row < test.rows; ++row) {
    for (int64_t output = 0; output < kOutputs; ++output) {
      double sum = 0;
      for (int64_t i = 0; i < test.width; ++i) {
        sum += static_cast<double>(ggml_bf16_to_fp32(weights[output * test.width + i])) *
               ggml_bf16_to_fp32(others[row * test.width + i]);
      }
      products.push_back(static_cast<float>(sum));
    }
  }
  return products;
}

}  // namespace

TEST(products_of_bf16_are_those_of_the_rounded_numbers) {
  std::mt19937 random(16);
  for (const Case& test : {Case{32, 1, 1}, Case{96, 1, 3}, Case{512, 1, 2}, Case{512, 3, 1},
                           Case{512, 16, 3}, Case{2048, 33, 2}}) {
    const std::vector<ggml_bf16_t> weights = rounded(some(random, test.width * kOutputs));
    const Numbers rows = some(random, test.width * test.rows);
    const Numbers products = multiply(test, weights, rows);
    const Numbers sums = wanted(test, weights, rows);
    CHECK_EQ(products.size(), sums.size());
    float furthest = 0;
    for (size_t i = 0; i < sums.size(); ++i)
      furthest = std::max(furthest, std::abs(products[i] - sums[i]));
    CHECK(furthest <= 1e-3F);
  }
}

int main(int argc, char** argv) {
  ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  return harness::run(argc, argv);
}
