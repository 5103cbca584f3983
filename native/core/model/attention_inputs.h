// What flash attention reads: the tensors of one ggml node, and the parts of them that a thread
// asks for.
#pragma once

#include <ggml-cpu-impl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/model/attention_tiles.h"
#include "core/model/float_vector.h"

namespace cria::attention {

constexpr uint16_t kNeverHalf = 0xFC00;  // -infinity: not seen

// Some rows of one stream (its own cells) and one head of keys. A row is a token's query of one of
// the heads that share the keys; those of a token stand together.
struct Rows {
  int64_t stream;
  int64_t head;
  int64_t first;
  int count;
};

// Of a block, for one token.
struct BlockMask {
  bool none = true;  // nothing is added
  float added[kBlock];
};

inline int64_t round_up(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

struct Inputs {
  explicit Inputs(const ggml_tensor& node);

  // Whether all of it can be read here.
  bool is_known() const;

  // Where a head of a cell stands in `cache`, k or v.
  const char* at(const ggml_tensor& cache, const Rows& rows, int64_t cell) const;
  // Whether a token sees any of these cells, or all of them. Those that it does not see may hold
  // anything, also what is no number.
  bool sees_any(const Rows& rows, int64_t token, int64_t cell, int cells) const;
  bool sees_all(const Rows& rows, int64_t token, int64_t cell, int cells) const;
  // The first of them from `from` on that it sees, or does not see; `cells` if there is none.
  int first_of(bool seen, const Rows& rows, int64_t token, int64_t cell, int from, int cells) const;
  BlockMask block_mask(const Rows& rows, int64_t token, int64_t cell, int cells) const;
  // ALiBi: how much farther tokens count less, for a head.
  float slope_of(int64_t head) const;
  // Multiplied by the scale; a row's zeros stand behind it.
  void load_queries(const Rows& rows, float* to) const;
  void load_block(const ggml_tensor& cache, const Rows& rows, int64_t cell, int cells,
                  float* to) const;
  // Asks memory for a block that will be read soon: heads of one cell stand side by side, so that
  // those of one head are too far apart for a processor to guess.
  void fetch_block(const ggml_tensor& cache, const Rows& rows, int64_t cell) const;

  int64_t token_of(const Rows& rows, int row) const { return (rows.first + row) / group; }
  // Behind the token's last row.
  int end_of(const Rows& rows, int64_t token) const {
    return static_cast<int>(std::min<int64_t>(rows.count, (token + 1) * group - rows.first));
  }
  int64_t head_of(const Rows& rows, int row) const {
    return rows.head * group + (rows.first + row) % group;
  }

  const ggml_tensor& q;
  const ggml_tensor& k;
  const ggml_tensor& v;
  const ggml_tensor* const mask;   // may be null, as the next
  const ggml_tensor* const sinks;  // a score without a value for each head
  const int key_width;             // in whole registers: zeros stand behind a row that has less
  const int value_width;           // the same
  const int64_t tokens;
  const int64_t group;  // heads that share keys
  const int64_t cells;
  float scale = 1.0F;
  float max_bias = 0.0F;
  float softcap = 0.0F;

 private:
  const uint16_t* mask_of(const Rows& rows, int64_t token) const;
};

inline Inputs::Inputs(const ggml_tensor& node)
    : q(*node.src[0]),
      k(*node.src[1]),
      v(*node.src[2]),
      mask(node.src[3]),
      sinks(node.src[4]),
      key_width(static_cast<int>(round_up(k.ne[0], kWidth))),
      value_width(static_cast<int>(round_up(v.ne[0], kWidth))),
      tokens(q.ne[1]),
      group(q.ne[2] / k.ne[2]),
      cells(k.ne[1]) {
  std::memcpy(&scale, node.op_params, sizeof scale);
  std::memcpy(&max_bias, node.op_params + 1, sizeof max_bias);
  std::memcpy(&softcap, node.op_params + 2, sizeof softcap);
  if (softcap != 0.0F) scale /= softcap;
}

inline bool is_readable(const ggml_tensor& cache) {
  if (cache.nb[0] != ggml_type_size(cache.type)) return false;
  return cache.type == GGML_TYPE_F32 || ggml_get_type_traits(cache.type)->to_float != nullptr;
}

inline bool Inputs::is_known() const {
  if (q.type != GGML_TYPE_F32 || q.nb[0] != sizeof(float)) return false;
  if (!is_readable(k) || !is_readable(v)) return false;
  if (mask != nullptr && (mask->type != GGML_TYPE_F16 || mask->ne[2] != 1)) return false;
  return k.ne[2] == v.ne[2] && q.ne[2] % k.ne[2] == 0 && k.ne[3] == v.ne[3];
}

inline const char* Inputs::at(const ggml_tensor& cache, const Rows& rows, int64_t cell) const {
  const int64_t stream = rows.stream / (q.ne[3] / cache.ne[3]);
  return static_cast<const char*>(cache.data) + cell * cache.nb[1] + rows.head * cache.nb[2] +
         stream * cache.nb[3];
}

inline const uint16_t* Inputs::mask_of(const Rows& rows, int64_t token) const {
  const char* const data = static_cast<const char*>(mask->data);
  return reinterpret_cast<const uint16_t*>(data + token * mask->nb[1] +
                                           rows.stream % mask->ne[3] * mask->nb[3]);
}

inline bool Inputs::sees_any(const Rows& rows, int64_t token, int64_t cell, int cells) const {
  if (mask == nullptr) return true;
  const uint16_t* const halves = mask_of(rows, token) + cell;
  int seen = 0;
  for (int i = 0; i < cells; ++i)
    seen |= halves[i] ^ kNeverHalf;
  return seen != 0;
}

inline bool Inputs::sees_all(const Rows& rows, int64_t token, int64_t cell, int cells) const {
  if (mask == nullptr) return true;
  const uint16_t* const halves = mask_of(rows, token) + cell;
  int hidden = 0;
  for (int i = 0; i < cells; ++i)
    hidden |= halves[i] == kNeverHalf ? 1 : 0;
  return hidden == 0;
}

inline int Inputs::first_of(bool seen, const Rows& rows, int64_t token, int64_t cell, int from,
                            int cells) const {
  if (mask == nullptr) return seen ? from : cells;
  const uint16_t* const halves = mask_of(rows, token) + cell;
  while (from < cells && (halves[from] != kNeverHalf) != seen)
    ++from;
  return from;
}

inline BlockMask Inputs::block_mask(const Rows& rows, int64_t token, int64_t cell,
                                    int cells) const {
  BlockMask block;
  if (mask == nullptr) return block;
  const uint16_t* const halves = mask_of(rows, token) + cell;
  int any = 0;
  for (int i = 0; i < cells; ++i)
    any |= halves[i];
  block.none = any == 0;
  if (!block.none) ggml_cpu_fp16_to_fp32(halves, block.added, cells);
  return block;
}

inline float Inputs::slope_of(int64_t head) const {
  if (max_bias <= 0.0F) return 1.0F;
  const auto heads = static_cast<double>(q.ne[2]);
  const auto whole = static_cast<int64_t>(1) << static_cast<int>(std::floor(std::log2(heads)));
  const float bias = head < whole ? max_bias : max_bias / 2.0F;
  const int64_t power = head < whole ? head + 1 : 2 * (head - whole) + 1;
  return std::pow(std::pow(2.0F, -bias / static_cast<float>(whole)), static_cast<float>(power));
}

inline void Inputs::load_queries(const Rows& rows, float* to) const {
  for (int row = 0; row < rows.count; ++row, to += key_width) {
    const char* const from = static_cast<const char*>(q.data) + token_of(rows, row) * q.nb[1] +
                             head_of(rows, row) * q.nb[2] + rows.stream * q.nb[3];
    const auto* const query = reinterpret_cast<const float*>(from);
    for (int d = 0; d < key_width; ++d)
      to[d] = d < q.ne[0] ? query[d] * scale : 0.0F;
  }
}

// Without being converted first.
inline bool is_read_directly(const ggml_tensor& cache) {
#ifdef CRIA_LOADS_HALVES
  return cache.type == GGML_TYPE_F16 && cache.ne[0] % kWidth == 0;
#else
  static_cast<void>(cache);
  return false;
#endif
}

inline void Inputs::load_block(const ggml_tensor& cache, const Rows& rows, int64_t cell, int cells,
                               float* to) const {
  const ggml_to_float_t convert = ggml_get_type_traits(cache.type)->to_float;
  const int64_t width = cache.ne[0];
  const int64_t whole = round_up(width, kWidth);
#ifdef CRIA_LOADS_HALVES
  if (is_read_directly(cache)) {
    for (int i = 0; i < cells; ++i) {
      const auto* const halves = reinterpret_cast<const uint16_t*>(at(cache, rows, cell + i));
      for (int64_t d = 0; d < width; d += kWidth, to += kWidth)
        floats::store(to, floats::load(halves + d));
    }
    return;
  }
#endif
  for (int i = 0; i < cells; ++i, to += whole) {
    std::fill(to + width, to + whole, 0.0F);
    const char* const from = at(cache, rows, cell + i);
    if (cache.type == GGML_TYPE_F16) {
      ggml_cpu_fp16_to_fp32(reinterpret_cast<const ggml_fp16_t*>(from), to, width);
    } else if (cache.type == GGML_TYPE_F32) {
      std::memcpy(to, from, width * sizeof(float));
    } else {
      convert(from, to, width);
    }
  }
}

inline void Inputs::fetch_block(const ggml_tensor& cache, const Rows& rows, int64_t cell) const {
#if defined(__GNUC__)
  constexpr int64_t kLine = 64;  // of a processor's cache, in bytes
  const auto size = static_cast<int64_t>(ggml_row_size(cache.type, cache.ne[0]));
  const int64_t end = std::min<int64_t>(cell + kBlock, cells);
  for (; cell < end; ++cell) {
    const char* const from = at(cache, rows, cell);
    for (int64_t offset = 0; offset < size; offset += kLine)
      __builtin_prefetch(from + offset);
  }
#endif
}

}  // namespace cria::attention
