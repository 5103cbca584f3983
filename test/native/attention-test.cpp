// native/core/model/attention.cpp, through ggml's graphs: against sums in double precision, and
// against itself, to the bit.
//
//   cria-attention-test [tests…]

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cpu_graph.h"
#include "ggml.h"
#include "harness.h"

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

struct Case {
  int64_t key = 64;  // width
  int64_t value = 64;
  int64_t heads = 8;
  int64_t key_heads = 2;
  int64_t tokens = 3;
  int64_t streams = 1;
  int64_t cells = 300;
  ggml_type type = GGML_TYPE_F16;
  float max_bias = 0;
  float softcap = 0;
  bool sinks = false;
  bool masked = true;
};

// What a token of a stream may look at: with -infinity, not at all.
using Mask = std::function<float(int64_t stream, int64_t token, int64_t cell)>;

float causal(const Case& test, int64_t token, int64_t cell) {
  return cell <= test.cells - test.tokens + token ? 0.0F : kNever;
}

struct Inputs {
  Numbers q, k, v, mask, sinks;  // contiguous: [stream][head][token or cell][width]
};

Inputs inputs_of(const Case& test, const Mask& mask) {
  std::mt19937 random(20261130);
  Inputs in;
  in.q = some(random, test.streams * test.heads * test.tokens * test.key);
  in.k = some(random, test.streams * test.key_heads * test.cells * test.key);
  in.v = some(random, test.streams * test.key_heads * test.cells * test.value);
  in.sinks = some(random, test.heads);
  for (int64_t stream = 0; stream < test.streams; ++stream) {
    for (int64_t token = 0; token < test.tokens; ++token) {
      for (int64_t cell = 0; cell < test.cells; ++cell)
        in.mask.push_back(mask(stream, token, cell));
    }
  }
  return in;
}

std::vector<uint8_t> converted(const Numbers& numbers, ggml_type type, int64_t width) {
  std::vector<uint8_t> bytes(numbers.size() / width * ggml_row_size(type, width));
  if (type == GGML_TYPE_F32) {
    std::memcpy(bytes.data(), numbers.data(), bytes.size());
  } else {
    ggml_quantize_chunk(type, numbers.data(), bytes.data(), 0,
                        static_cast<int64_t>(numbers.size()) / width, width, nullptr);
  }
  return bytes;
}

Numbers read_back(const Numbers& numbers, ggml_type type, int64_t width) {
  if (type == GGML_TYPE_F32) return numbers;
  const std::vector<uint8_t> bytes = converted(numbers, type, width);
  Numbers read(numbers.size());
  const size_t row = ggml_row_size(type, width);
  for (size_t i = 0; i * width < read.size(); ++i)
    ggml_get_type_traits(type)->to_float(bytes.data() + i * row, read.data() + i * width, width);
  return read;
}

// As [stream][token][head][width].
Numbers evaluate(const Case& test, const Inputs& in, int threads) {
  CpuGraph graph(threads);
  ggml_context* const context = graph.context();
  const auto tensor = [&](ggml_type type, int64_t a, int64_t b, int64_t c) {
    return ggml_new_tensor_4d(context, type, a, b, c, test.streams);
  };
  ggml_tensor* q = tensor(GGML_TYPE_F32, test.key, test.tokens, test.heads);
  ggml_tensor* k = tensor(test.type, test.key, test.cells, test.key_heads);
  ggml_tensor* v = tensor(test.type, test.value, test.cells, test.key_heads);
  ggml_tensor* mask = tensor(GGML_TYPE_F16, test.cells, test.tokens, 1);
  ggml_tensor* sinks = ggml_new_tensor_1d(context, GGML_TYPE_F32, test.heads);
  const float scale = 1.0F / std::sqrt(static_cast<float>(test.key));
  ggml_tensor* result = ggml_flash_attn_ext(context, q, k, v, test.masked ? mask : nullptr, scale,
                                            test.max_bias, test.softcap);
  if (test.sinks) ggml_flash_attn_ext_add_sinks(result, sinks);
  graph.end_with(result);
  graph.set(q, in.q.data());
  graph.set(k, converted(in.k, test.type, test.key).data());
  graph.set(v, converted(in.v, test.type, test.value).data());
  graph.set(mask, converted(in.mask, GGML_TYPE_F16, test.cells).data());
  graph.set(sinks, in.sinks.data());
  return graph.compute();
}

double slope_of(const Case& test, int64_t head) {
  if (test.max_bias <= 0) return 1;
  const auto whole = static_cast<int64_t>(std::exp2(std::floor(std::log2(test.heads))));
  return head < whole ? std::exp2(-test.max_bias / whole * (head + 1))
                      : std::exp2(-test.max_bias / 2 / whole * (2 * (head - whole) + 1));
}

Numbers expected(const Case& test, const Inputs& in) {
  const Numbers keys = read_back(in.k, test.type, test.key);
  const Numbers values = read_back(in.v, test.type, test.value);
  Numbers out;
  for (int64_t stream = 0; stream < test.streams; ++stream) {
    for (int64_t token = 0; token < test.tokens; ++token) {
      for (int64_t head = 0; head < test.heads; ++head) {
        const int64_t row = (stream * test.heads + head) * test.tokens + token;
        const int64_t cache =
            (stream * test.key_heads + head / (test.heads / test.key_heads)) * test.cells;
        std::vector<double> scores;
        for (int64_t cell = 0; cell < test.cells; ++cell) {
          double score = 0;
          for (int64_t d = 0; d < test.key; ++d)
            score +=
                static_cast<double>(in.q[row * test.key + d]) * keys[(cache + cell) * test.key + d];
          score /= std::sqrt(static_cast<double>(test.key));
          if (test.softcap != 0) score = test.softcap * std::tanh(score / test.softcap);
          const float mask = in.mask[(stream * test.tokens + token) * test.cells + cell];
          if (test.masked) score += slope_of(test, head) * mask;
          scores.push_back(score);
        }
        double highest = test.sinks ? in.sinks[head] : kNever;
        for (const double score : scores)
          highest = std::max(highest, score);
        double sum = test.sinks ? std::exp(in.sinks[head] - highest) : 0;
        std::vector<double> added(static_cast<size_t>(test.value));
        for (int64_t cell = 0; cell < test.cells && highest != kNever; ++cell) {
          const double weight = std::exp(scores[cell] - highest);
          sum += weight;
          for (int64_t d = 0; d < test.value; ++d)
            added[d] += weight * values[(cache + cell) * test.value + d];
        }
        for (const double one : added)
          out.push_back(static_cast<float>(sum == 0 ? 0 : one / sum));
      }
    }
  }
  return out;
}

float farthest(const Numbers& got, const Numbers& wanted) {
  CHECK_EQ(got.size(), wanted.size());
  float distance = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (!(std::abs(got[i] - wanted[i]) <= distance)) distance = std::abs(got[i] - wanted[i]);
    if (std::isnan(got[i])) return got[i];
  }
  return distance;
}

void check(const Case& test, const Mask& mask) {
  const Inputs in = inputs_of(test, mask);
  const Numbers wanted = expected(test, in);
  const Numbers got = evaluate(test, in, 2);
  CHECK(farthest(got, wanted) < 2e-6F);
  for (const int threads : {1, 5})
    CHECK(evaluate(test, in, threads) == got);
}

void check(const Case& test) {
  check(test, [&](int64_t, int64_t token, int64_t cell) { return causal(test, token, cell); });
}

// The inputs of one token.
Numbers alone(const Case& test, const Inputs& in, int64_t token) {
  Case one = test;
  one.tokens = 1;
  Inputs its = in;
  its.q.clear();
  for (int64_t row = token; row < test.streams * test.heads * test.tokens; row += test.tokens)
    its.q.insert(its.q.end(), in.q.begin() + row * test.key, in.q.begin() + (row + 1) * test.key);
  its.mask.clear();
  for (int64_t row = token; row < test.streams * test.tokens; row += test.tokens)
    its.mask.insert(its.mask.end(), in.mask.begin() + row * test.cells,
                    in.mask.begin() + (row + 1) * test.cells);
  return evaluate(one, its, 2);
}

Numbers of_token(const Case& test, const Numbers& all, int64_t token) {
  Numbers one;
  const int64_t size = test.heads * test.value;
  for (int64_t stream = 0; stream < test.streams; ++stream) {
    const auto begin = all.begin() + (stream * test.tokens + token) * size;
    one.insert(one.end(), begin, begin + size);
  }
  return one;
}

}  // namespace

TEST(one_token_and_many) {
  for (const int64_t tokens : {1, 2, 7, 63, 64, 130}) {
    Case test;
    test.tokens = tokens;
    check(test);
  }
}

TEST(cells_of_any_number) {
  for (const int64_t cells : {1, 3, 7, 8, 63, 65, 511, 512, 513, 1100}) {
    Case test;
    test.tokens = 1;
    test.cells = cells;
    check(test);
    test.heads = test.key_heads;  // a row alone
    check(test);
  }
}

TEST(heads_that_share_keys_in_any_number) {
  for (const int64_t group : {1, 2, 3, 5, 6, 7, 33, 64}) {
    Case test;
    test.heads = test.key_heads * group;
    check(test);
  }
}

TEST(widths_that_differ) {
  const std::vector<std::pair<int64_t, int64_t>> widths = {{128, 128}, {80, 80}, {192, 128},
                                                           {576, 512}, {16, 48}, {256, 256}};
  for (const auto& [key, value] : widths) {
    Case test;
    test.key = key;
    test.value = value;
    check(test);
  }
}

TEST(caches_of_other_types) {
  for (const ggml_type type : {GGML_TYPE_F32, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0}) {
    for (const int64_t tokens : {1, 20, 70}) {
      Case test;
      test.type = type;
      test.tokens = tokens;
      check(test);
    }
  }
}

TEST(streams_have_cells_of_their_own) {
  Case test;
  test.streams = 5;
  test.cells = 700;
  check(test, [&](int64_t stream, int64_t token, int64_t cell) {
    return cell <= 100 * stream + token ? 0.0F : kNever;
  });
}

TEST(a_token_that_sees_nothing_gets_nothing) {
  Case test;
  check(test, [&](int64_t, int64_t token, int64_t) { return token == 1 ? kNever : 0.0F; });
  test.sinks = true;
  check(test, [&](int64_t, int64_t token, int64_t) { return token == 1 ? kNever : 0.0F; });
}

TEST(a_mask_may_have_holes_and_numbers) {
  Case test;
  test.tokens = 9;
  test.cells = 1300;
  check(test, [&](int64_t, int64_t token, int64_t cell) {
    if (cell < 640) return 0.0F;  // what all have in common
    return cell / 64 % test.tokens == token ? -static_cast<float>(cell % 5) : kNever;
  });
}

TEST(sinks_softcaps_and_alibi) {
  for (const int64_t tokens : {1, 5, 66}) {
    Case test;
    test.tokens = tokens;
    test.cells = 600;
    test.sinks = true;
    check(test);
    test.sinks = false;
    test.softcap = 2;
    check(test);
    test.softcap = 0;
    test.max_bias = 8;
    test.heads = 12;
    check(test, [&](int64_t, int64_t token, int64_t cell) {
      const float far = static_cast<float>(test.cells - test.tokens + token - cell);
      return far < 0 ? kNever : -far;
    });
  }
}

TEST(no_mask_at_all) {
  Case test;
  test.masked = false;
  check(test);
}

TEST(a_row_does_not_depend_on_those_beside_it) {
  Case test;
  test.tokens = 70;
  test.cells = 900;
  const Inputs in = inputs_of(test, [&](int64_t, int64_t token, int64_t cell) {
    return token % 3 == 0 && cell / 64 % 3 == 1 ? kNever : causal(test, token, cell);
  });
  const Numbers all = evaluate(test, in, 2);
  for (const int64_t token : {0, 1, 2, 33, 69})
    CHECK(alone(test, in, token) == of_token(test, all, token));
}

// Cells of others, or given up, may hold what is no number.
TEST(what_a_token_does_not_see_is_nothing_to_it) {
  for (const int64_t tokens : {3, 70}) {
    Case test;
    test.tokens = tokens;
    test.cells = 400;
    const auto mask = [&](int64_t, int64_t token, int64_t cell) {
      return cell % 5 == 0 || (cell > 100 && cell < 230) ? kNever : causal(test, token, cell);
    };
    Inputs in = inputs_of(test, mask);
    const Numbers wanted = evaluate(test, in, 2);
    for (int64_t row = 0; row < test.key_heads; ++row) {
      for (int64_t cell = 0; cell < test.cells; ++cell) {
        if (cell % 5 != 0 && (cell <= 100 || cell >= 230)) continue;
        for (int64_t d = 0; d < test.key; ++d) {
          in.k[(row * test.cells + cell) * test.key + d] = d % 2 == 0 ? NAN : INFINITY;
          in.v[(row * test.cells + cell) * test.value + d] = d % 2 == 0 ? INFINITY : NAN;
        }
      }
    }
    CHECK(evaluate(test, in, 2) == wanted);
  }
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
