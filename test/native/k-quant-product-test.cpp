// native/core/model/k_quant_product.cpp and q4_panel_product.cpp, through ggml's graphs: against
// ggml's own product of a row alone, to the bit, and against sums in double precision.
//
//   cria-k-quant-product-test [tests…]

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "cpu_graph.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "harness.h"

namespace {

constexpr ggml_type kTypes[] = {GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K};

struct Case {
  ggml_type type = GGML_TYPE_Q6_K;
  int64_t width = 512;
  int64_t outputs = 40;
  int64_t rows = 2;    // of activations, of each of
  int64_t planes = 1;  // so many
};

// Any bytes are weights, but for the scales of a block, which have to be numbers.
std::vector<uint8_t> weights_of(const Case& test, std::mt19937& random) {
  Numbers numbers = some(random, test.width * test.outputs);
  std::vector<uint8_t> bytes(ggml_row_size(test.type, test.width) * test.outputs);
  ggml_quantize_chunk(test.type, numbers.data(), bytes.data(), 0, test.outputs, test.width,
                      nullptr);
  const size_t size = ggml_type_size(test.type);
  const bool scale_is_last = test.type == GGML_TYPE_Q6_K;
  for (size_t block = 0; block < bytes.size(); block += 3 * size) {
    for (size_t i = scale_is_last ? 0 : 4; i < size - (scale_is_last ? 2 : 0); ++i)
      bytes[block + i] = static_cast<uint8_t>(random());
  }
  return bytes;
}

// Where weights are laid out anew for ggml's products, which are those of Q4_K; else the usual
// place.
ggml_backend_buffer_type_t buffer_of(ggml_type type) {
  const auto extra =
      cpu_function<ggml_backend_dev_get_extra_bufts_t>("ggml_backend_dev_get_extra_bufts");
  if (type == GGML_TYPE_Q4_K) {
    for (ggml_backend_buffer_type_t* at = extra(cpu()); at != nullptr && *at != nullptr; ++at) {
      if (std::strcmp(ggml_backend_buft_name(*at), "CPU_REPACK") == 0) return *at;
    }
  }
  return ggml_backend_dev_buffer_type(cpu());
}

Numbers multiply(const Case& test, const std::vector<uint8_t>& weights, const Numbers& rows,
                 int threads) {
  ggml_context* kept = ggml_init({ggml_tensor_overhead(), nullptr, true});
  ggml_tensor* a = ggml_new_tensor_2d(kept, test.type, test.width, test.outputs);
  ggml_backend_buffer_t buffer =
      ggml_backend_alloc_ctx_tensors_from_buft(kept, buffer_of(test.type));
  CpuGraph graph(threads);
  ggml_tensor* b =
      ggml_new_tensor_3d(graph.context(), GGML_TYPE_F32, test.width, test.rows, test.planes);
  graph.end_with(ggml_mul_mat(graph.context(), a, b));
  graph.set(a, weights.data());
  graph.set(b, rows.data());
  const Numbers products = graph.compute();
  ggml_backend_buffer_free(buffer);
  ggml_free(kept);
  return products;
}

// Each row by itself, one after the other.
Numbers alone(const Case& test, const std::vector<uint8_t>& weights, const Numbers& rows) {
  Case one = test;
  one.rows = one.planes = 1;
  Numbers all;
  for (int64_t row = 0; row < test.rows * test.planes; ++row) {
    const auto* const from = rows.data() + row * test.width;
    const Numbers some = multiply(one, weights, {from, from + test.width}, 1);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

bool has(const char* feature) {
  const auto features = cpu_function<ggml_backend_get_features_t>("ggml_backend_get_features");
  const ggml_backend_feature* at = features(ggml_backend_dev_backend_reg(cpu()));
  for (; at->name != nullptr; ++at) {
    if (std::strcmp(at->name, feature) == 0) return std::strcmp(at->value, "1") == 0;
  }
  return false;
}

// Whether the product is ours on this processor: ggml's own may add up in another order.
bool is_ours(ggml_type type) {
  return has("AVX2") && has("FMA") && (type != GGML_TYPE_Q4_K || !has("AVX512"));
}

bool are_near(const Numbers& products, const Numbers& wanted) {
  float most = 0;
  for (const float one : wanted)
    most = std::max(most, std::abs(one));
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!(std::abs(products[i] - wanted[i]) <= 1e-4F * most)) return false;
  }
  return products.size() == wanted.size();
}

void check(const Case& test) {
  std::mt19937 random(20261130);
  const std::vector<uint8_t> weights = weights_of(test, random);
  const Numbers rows = some(random, test.width * test.rows * test.planes);
  const Numbers wanted = alone(test, weights, rows);
  for (const int threads : {1, 2, 3}) {
    const Numbers products = multiply(test, weights, rows, threads);
    CHECK(is_ours(test.type) ? products == wanted : are_near(products, wanted));
  }
}

}  // namespace

TEST(rows_get_what_each_gets_alone) {
  for (const ggml_type type : kTypes) {
    for (const int64_t rows : {2, 3, 4, 5, 8, 33}) {
      for (const int64_t outputs : {8, 40})
        check({type, 512, outputs, rows});
      if (type != GGML_TYPE_Q4_K) check({type, 512, 19, rows});
    }
  }
}

// Fewer outputs are taken at a time where a row is long.
TEST(of_any_width) {
  for (const ggml_type type : kTypes) {
    for (const int64_t width : {256, 2048, 28672, 131072})
      check({type, width, 24, 5});
  }
}

TEST(of_several_planes) {
  for (const ggml_type type : kTypes)
    check({type, 256, 24, 3, 4});
}

TEST(what_comes_out_is_the_product) {
  for (const ggml_type type : kTypes) {
    const Case test{type, 1024, 32, 6};
    std::mt19937 random(7);
    Numbers numbers = some(random, test.width * test.outputs);
    std::vector<uint8_t> weights(ggml_row_size(type, test.width) * test.outputs);
    ggml_quantize_chunk(type, numbers.data(), weights.data(), 0, test.outputs, test.width, nullptr);
    const Numbers rows = some(random, test.width * test.rows);
    const Numbers products = multiply(test, weights, rows, 2);
    Numbers row(static_cast<size_t>(test.width));
    for (int64_t output = 0; output < test.outputs; ++output) {
      ggml_get_type_traits(type)->to_float(
          weights.data() + output * ggml_row_size(type, test.width), row.data(), test.width);
      for (int64_t i = 0; i < test.rows; ++i) {
        double sum = 0;
        for (int64_t d = 0; d < test.width; ++d)
          sum += static_cast<double>(row[d]) * rows[i * test.width + d];
        // The activations have eight bits here: an error of some 0.007 each.
        CHECK(std::abs(sum - products[i * test.outputs + output]) < 0.05 * std::sqrt(test.width));
      }
    }
  }
}

int main(int argc, char** argv) {
  ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  return harness::run(argc, argv);
}
