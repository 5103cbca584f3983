// The two products of attention over a block of cells: queries with keys, and weights with values.
// Each row's numbers are added up in the same order, however many rows there are.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "core/model/float_vector.h"

namespace cria::attention {

using floats::Floats;
using floats::kWidth;

constexpr int kBlock = 32;  // cells whose scores are held at once: a row of scores has so many

// Scores of ROWS queries with CELLS keys.
template <int ROWS, int CELLS, class Key>
void score_tile(const float* query, int width, const Key* keys, int64_t stride, float* scores) {
  static_assert(CELLS % 4 == 0, "they are added up by fours");
  Floats sum[ROWS][CELLS];
  for (auto& row : sum) {
    for (Floats& one : row)
      one = floats::zero();
  }
  for (int d = 0; d < width; d += kWidth) {
    Floats key[CELLS];
    for (int cell = 0; cell < CELLS; ++cell)
      key[cell] = floats::in_register(floats::load(keys + cell * stride + d));
    for (int row = 0; row < ROWS; ++row) {
      const Floats part = floats::in_register(floats::load(query + row * width + d));
      for (int cell = 0; cell < CELLS; ++cell)
        sum[row][cell] = floats::multiply_add(key[cell], part, sum[row][cell]);
    }
  }
  for (int row = 0; row < ROWS; ++row) {
    for (int cell = 0; cell < CELLS; cell += 4) {
      const Floats* const four = sum[row] + cell;
      floats::sums(four[0], four[1], four[2], four[3], scores + row * kBlock + cell);
    }
  }
}

template <int ROWS, class Key>
void score_rows(const float* query, int width, const Key* keys, int64_t stride, int cells,
                float* scores) {
  constexpr int kCells = 8 / ROWS;
  int cell = 0;
  for (; cell + kCells <= cells; cell += kCells)
    score_tile<ROWS, kCells>(query, width, keys + cell * stride, stride, scores + cell);
  // The last few one by one, each as if it were there several times.
  float rest[ROWS * kBlock];
  for (; cell < cells; ++cell) {
    score_tile<ROWS, kCells>(query, width, keys + cell * stride, 0, rest);
    for (int row = 0; row < ROWS; ++row)
      scores[row * kBlock + cell] = rest[row * kBlock];
  }
}

// Adds to ROWS sums the values, each by its weight.
template <int ROWS, int VECTORS, class Value>
void weigh_tile(const float* weights, int cells, const Value* values, int64_t stride, int width,
                float* sums) {
  Floats sum[ROWS * VECTORS];
  for (int row = 0; row < ROWS; ++row) {
    for (int i = 0; i < VECTORS; ++i)
      sum[row * VECTORS + i] = floats::load(sums + row * width + i * kWidth);
  }
  for (int cell = 0; cell < cells; ++cell) {
    Floats value[VECTORS];
    for (int i = 0; i < VECTORS; ++i)
      value[i] = floats::in_register(floats::load(values + cell * stride + i * kWidth));
    for (int row = 0; row < ROWS; ++row) {
      const Floats weight = floats::all(weights[row * kBlock + cell]);
      for (int i = 0; i < VECTORS; ++i) {
        Floats& one = sum[row * VECTORS + i];
        one = floats::multiply_add(weight, value[i], one);
      }
    }
  }
  for (int row = 0; row < ROWS; ++row) {
    for (int i = 0; i < VECTORS; ++i)
      floats::store(sums + row * width + i * kWidth, sum[row * VECTORS + i]);
  }
}

template <int ROWS, class Value>
void weigh_rows(const float* weights, int cells, const Value* values, int64_t stride, int width,
                float* sums) {
  constexpr int kVectors = 8 / ROWS;
  int d = 0;
  for (; d + kVectors * kWidth <= width; d += kVectors * kWidth)
    weigh_tile<ROWS, kVectors>(weights, cells, values + d, stride, width, sums + d);
  for (; d < width; d += kWidth)
    weigh_tile<ROWS, 1>(weights, cells, values + d, stride, width, sums + d);
}

// Calls `work` for the rows in tiles of MOST, half of that, and so on: with their number, which is
// a constant there, and the first of them.
template <int MOST, class Work>
void by_tiles(int rows, Work&& work, int row = 0) {
  for (; row + MOST <= rows; row += MOST)
    work(std::integral_constant<int, MOST>(), row);
  if constexpr (MOST > 1) by_tiles<MOST / 2>(rows, std::forward<Work>(work), row);
}

template <class Key>
void score(const float* query, int rows, int width, const Key* keys, int64_t stride, int cells,
           float* scores) {
  by_tiles<2>(rows, [&](auto count, int row) {
    score_rows<count()>(query + row * width, width, keys, stride, cells, scores + row * kBlock);
  });
}

template <class Value>
void weigh(const float* weights, int rows, int cells, const Value* values, int64_t stride,
           int width, float* sums) {
  by_tiles<4>(rows, [&](auto count, int row) {
    weigh_rows<count()>(weights + row * kBlock, cells, values, stride, width, sums + row * width);
  });
}

}  // namespace cria::attention
