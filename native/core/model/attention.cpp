// Flash attention on the CPU in place of ggml's, which reads the keys and values once for each row
// and head unless there are 64 rows: here all query heads of a key's head read them together, and
// so do all rows. Belongs to ggml-cpu and is called by it (ggml_hooks.h); compiled for each level.
//
// What a row gets, to the bit, follows from its own query, mask and cells alone: not from the rows
// beside it, and not from the number of threads.

#include <ggml-cpu-impl.h>
#include <ops.h>
#include <vec.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "core/model/attention_tiles.h"
#include "core/model/float_vector.h"

namespace {

using cria::attention::kBlock;
using cria::attention::score;
using cria::attention::weigh;
using cria::floats::kWidth;

// Cells that are added up by themselves: threads may share the cells of a row by chunks.
constexpr int64_t kChunk = 512;
constexpr int kMostRows = 32;  // that share a block of keys
// From so many rows on it pays to convert a block once.
constexpr int kRowsToConvert = 9;
constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr uint16_t kNeverHalf = 0xFC00;

// ── One evaluation ──────────────────────────────────────────────────────────

// What is known of a row after some of its cells: the highest score, and the sum of
// exp(score - highest). Beside it stand the values, added up by the same weights.
struct Part {
  float highest = kNever;
  float sum = 0.0F;

  // Makes room for a score: `values` and the sum are measured by the highest one.
  void raise(float score, int width, float* values) {
    if (!(score > highest)) return;
    const float factor = std::exp(highest - score);
    ggml_vec_scale_f32(width, values, factor);
    sum *= factor;
    highest = score;
  }

  void add(const Part& other, const float* others, int width, float* values) {
    if (other.highest == kNever) return;
    raise(other.highest, width, values);
    const float factor = std::exp(other.highest - highest);
    for (int d = 0; d < width; ++d)
      values[d] += others[d] * factor;
    sum += other.sum * factor;
  }
};

// Some rows of one stream (its own cells) and one head of keys. A row is a token's query of one of
// the heads that share the keys; those of a token stand together.
struct Rows {
  int64_t stream;
  int64_t head;
  int64_t first;
  int count;
};

// This thread's part of the work buffer.
struct Scratch {
  float* queries;
  float* scores;
  float* chunk;   // the values of a chunk,
  float* before;  // and of those before it
  float* keys;
  float* values;
};

// Of a block, for one token.
struct BlockMask {
  bool none = true;  // nothing is added
  float added[kBlock];
};

int64_t round_up(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

class Attention {
 public:
  Attention(const ggml_compute_params& params, ggml_tensor& result);

  // Whether this is what is computed here, with the room that there is.
  bool fits() const { return rows_ > 0; }
  void compute();

 private:
  bool is_known() const;
  int most_rows() const;
  int64_t scratch_size(int64_t rows) const;
  Scratch scratch() const;
  Rows rows_of(int64_t item) const;
  const char* at(const ggml_tensor& cache, const Rows& rows, int64_t cell) const;
  const uint16_t* mask_of(const Rows& rows, int64_t token) const;
  bool sees(const Rows& rows, int64_t token, int64_t cell, int cells) const;
  BlockMask block_mask(const Rows& rows, int64_t token, int64_t cell, int cells) const;
  float slope_of(int64_t head) const;

  void load_queries(const Rows& rows, float* to) const;
  void load_block(const ggml_tensor& cache, const Rows& rows, int64_t cell, int cells,
                  float* to) const;
  void attend(const Rows& rows, int64_t chunk, const Scratch& scratch, Part* parts) const;
  void attend_block(const Rows& rows, int64_t cell, int cells, const Scratch& scratch,
                    Part* parts) const;
  void score_run(const Rows& rows, int from, int to, int64_t cell, int cells, bool converted,
                 const Scratch& scratch) const;
  void weigh_run(const Rows& rows, int from, int to, int64_t cell, int cells, bool converted,
                 const Scratch& scratch) const;
  void turn_into_weights(const Rows& rows, int from, int to, int64_t cell, int cells,
                         const Scratch& scratch, Part* parts) const;
  void write(const Rows& rows, Part* parts, float* values) const;

  void compute_whole(int64_t items);
  void compute_by_chunks(int64_t items, float* parts);

  const ggml_compute_params& params_;
  ggml_tensor& result_;
  const ggml_tensor& q_;
  const ggml_tensor& k_;
  const ggml_tensor& v_;
  const ggml_tensor* const mask_;
  const ggml_tensor* const sinks_;
  const int key_width_;    // in whole registers: zeros stand behind a row that has less
  const int value_width_;  // the same
  const int64_t tokens_;
  const int64_t group_;  // heads that share keys
  const int64_t cells_;
  const int64_t chunks_;
  float scale_ = 1.0F;
  float max_bias_ = 0.0F;
  float softcap_ = 0.0F;
  int rows_ = 0;  // at a time
};

Attention::Attention(const ggml_compute_params& params, ggml_tensor& result)
    : params_(params),
      result_(result),
      q_(*result.src[0]),
      k_(*result.src[1]),
      v_(*result.src[2]),
      mask_(result.src[3]),
      sinks_(result.src[4]),
      key_width_(static_cast<int>(round_up(k_.ne[0], kWidth))),
      value_width_(static_cast<int>(round_up(v_.ne[0], kWidth))),
      tokens_(q_.ne[1]),
      group_(q_.ne[2] / k_.ne[2]),
      cells_(k_.ne[1]),
      chunks_((cells_ + kChunk - 1) / kChunk) {
  std::memcpy(&scale_, result.op_params, sizeof scale_);
  std::memcpy(&max_bias_, result.op_params + 1, sizeof max_bias_);
  std::memcpy(&softcap_, result.op_params + 2, sizeof softcap_);
  if (softcap_ != 0.0F) scale_ /= softcap_;
  if (is_known()) rows_ = most_rows();
}

bool is_readable(const ggml_tensor& cache) {
  if (cache.nb[0] != ggml_type_size(cache.type)) return false;
  return cache.type == GGML_TYPE_F32 || ggml_get_type_traits(cache.type)->to_float != nullptr;
}

bool Attention::is_known() const {
  if (params_.use_ref || q_.type != GGML_TYPE_F32 || q_.nb[0] != sizeof(float)) return false;
  if (!is_readable(k_) || !is_readable(v_)) return false;
  if (mask_ != nullptr && (mask_->type != GGML_TYPE_F16 || mask_->ne[2] != 1)) return false;
  return k_.ne[2] == v_.ne[2] && q_.ne[2] % k_.ne[2] == 0 && k_.ne[3] == v_.ne[3];
}

int64_t Attention::scratch_size(int64_t rows) const {
  return rows * (key_width_ + kBlock + 2 * value_width_) + kBlock * (key_width_ + value_width_);
}

int Attention::most_rows() const {
  const auto room = static_cast<int64_t>(params_.wsize / sizeof(float)) / params_.nth;
  for (int rows = kMostRows; rows > 0; rows /= 2) {
    if (scratch_size(rows) <= room) return rows;
  }
  return 0;
}

Scratch Attention::scratch() const {
  float* at = static_cast<float*>(params_.wdata) + params_.ith * scratch_size(rows_);
  const auto take = [&](int64_t count) { return std::exchange(at, at + count); };
  float* const queries = take(rows_ * key_width_);
  float* const scores = take(rows_ * kBlock);
  float* const chunk = take(rows_ * value_width_);
  float* const before = take(rows_ * value_width_);
  float* const keys = take(kBlock * key_width_);
  return {queries, scores, chunk, before, keys, at};
}

Rows Attention::rows_of(int64_t item) const {
  const int64_t rows = tokens_ * group_;
  const int64_t blocks = (rows + rows_ - 1) / rows_;
  const int64_t first = item % blocks * rows_;
  const auto count = static_cast<int>(std::min<int64_t>(rows_, rows - first));
  return {item / blocks / k_.ne[2], item / blocks % k_.ne[2], first, count};
}

// ── What is read ────────────────────────────────────────────────────────────

const char* Attention::at(const ggml_tensor& cache, const Rows& rows, int64_t cell) const {
  const int64_t stream = rows.stream / (q_.ne[3] / cache.ne[3]);
  return static_cast<const char*>(cache.data) + cell * cache.nb[1] + rows.head * cache.nb[2] +
         stream * cache.nb[3];
}

const uint16_t* Attention::mask_of(const Rows& rows, int64_t token) const {
  const char* const data = static_cast<const char*>(mask_->data);
  return reinterpret_cast<const uint16_t*>(data + token * mask_->nb[1] +
                                           rows.stream % mask_->ne[3] * mask_->nb[3]);
}

bool Attention::sees(const Rows& rows, int64_t token, int64_t cell, int cells) const {
  if (mask_ == nullptr) return true;
  const uint16_t* const mask = mask_of(rows, token) + cell;
  int seen = 0;
  for (int i = 0; i < cells; ++i)
    seen |= mask[i] ^ kNeverHalf;
  return seen != 0;
}

BlockMask Attention::block_mask(const Rows& rows, int64_t token, int64_t cell, int cells) const {
  BlockMask block;
  if (mask_ == nullptr) return block;
  const uint16_t* const mask = mask_of(rows, token) + cell;
  int any = 0;
  for (int i = 0; i < cells; ++i)
    any |= mask[i];
  block.none = any == 0;
  if (!block.none) ggml_cpu_fp16_to_fp32(mask, block.added, cells);
  return block;
}

// ALiBi: how much farther tokens count less, for a head.
float Attention::slope_of(int64_t head) const {
  if (max_bias_ <= 0.0F) return 1.0F;
  const auto heads = static_cast<double>(q_.ne[2]);
  const auto whole = static_cast<int64_t>(1) << static_cast<int>(std::floor(std::log2(heads)));
  const float bias = head < whole ? max_bias_ : max_bias_ / 2.0F;
  const int64_t power = head < whole ? head + 1 : 2 * (head - whole) + 1;
  return std::pow(std::pow(2.0F, -bias / static_cast<float>(whole)), static_cast<float>(power));
}

void Attention::load_queries(const Rows& rows, float* to) const {
  for (int row = 0; row < rows.count; ++row, to += key_width_) {
    const int64_t token = (rows.first + row) / group_;
    const int64_t head = rows.head * group_ + (rows.first + row) % group_;
    const char* const from = static_cast<const char*>(q_.data) + token * q_.nb[1] +
                             head * q_.nb[2] + rows.stream * q_.nb[3];
    const auto* const query = reinterpret_cast<const float*>(from);
    for (int d = 0; d < key_width_; ++d)
      to[d] = d < q_.ne[0] ? query[d] * scale_ : 0.0F;
  }
}

void Attention::load_block(const ggml_tensor& cache, const Rows& rows, int64_t cell, int cells,
                           float* to) const {
  const ggml_to_float_t convert = ggml_get_type_traits(cache.type)->to_float;
  const int64_t width = cache.ne[0];
  const int64_t whole = round_up(width, kWidth);
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

bool is_read_directly(const ggml_tensor& cache) {
#ifdef CRIA_LOADS_HALVES
  return cache.type == GGML_TYPE_F16 && cache.ne[0] % kWidth == 0;
#else
  static_cast<void>(cache);
  return false;
#endif
}

// ── What is computed ────────────────────────────────────────────────────────

void Attention::score_run(const Rows& rows, int from, int to, int64_t cell, int cells,
                          bool converted, const Scratch& scratch) const {
  const float* const queries = scratch.queries + from * key_width_;
  float* const scores = scratch.scores + from * kBlock;
  if (converted) {
    score(queries, to - from, key_width_, scratch.keys, key_width_, cells, scores);
    return;
  }
#ifdef CRIA_LOADS_HALVES
  score(queries, to - from, key_width_, reinterpret_cast<const uint16_t*>(at(k_, rows, cell)),
        static_cast<int64_t>(k_.nb[1] / sizeof(uint16_t)), cells, scores);
#endif
}

void Attention::weigh_run(const Rows& rows, int from, int to, int64_t cell, int cells,
                          bool converted, const Scratch& scratch) const {
  const float* const weights = scratch.scores + from * kBlock;
  float* const sums = scratch.chunk + from * value_width_;
  if (converted) {
    weigh(weights, to - from, cells, scratch.values, value_width_, value_width_, sums);
    return;
  }
#ifdef CRIA_LOADS_HALVES
  weigh(weights, to - from, cells, reinterpret_cast<const uint16_t*>(at(v_, rows, cell)),
        static_cast<int64_t>(v_.nb[1] / sizeof(uint16_t)), value_width_, sums);
#endif
}

void Attention::turn_into_weights(const Rows& rows, int from, int to, int64_t cell, int cells,
                                  const Scratch& scratch, Part* parts) const {
  BlockMask mask;
  int64_t token = -1;
  for (int row = from; row < to; ++row) {
    if ((rows.first + row) / group_ != token) {
      token = (rows.first + row) / group_;
      mask = block_mask(rows, token, cell, cells);
    }
    float* const scores = scratch.scores + row * kBlock;
    if (softcap_ != 0.0F) {
      for (int i = 0; i < cells; ++i)
        scores[i] = softcap_ * std::tanh(scores[i]);
    }
    if (!mask.none) {
      const float slope = slope_of(rows.head * group_ + (rows.first + row) % group_);
      for (int i = 0; i < cells; ++i)
        scores[i] += slope * mask.added[i];
    }
    for (int i = cells; i < kBlock; ++i)
      scores[i] = kNever;
    float highest = kNever;
    ggml_vec_max_f32(kBlock, &highest, scores);
    if (highest == kNever) {
      std::memset(scores, 0, kBlock * sizeof(float));
      continue;
    }
    parts[row].raise(highest, value_width_, scratch.chunk + row * value_width_);
    parts[row].sum +=
        static_cast<float>(ggml_vec_soft_max_f32(kBlock, scores, scores, parts[row].highest));
  }
}

// Rows whose tokens see nothing of the block are passed over: with a unified cache most cells
// belong to others.
void Attention::attend_block(const Rows& rows, int64_t cell, int cells, const Scratch& scratch,
                             Part* parts) const {
  const bool directly = is_read_directly(k_) && is_read_directly(v_);
  bool converted = false;
  const auto end_of = [&](int64_t token) {
    return static_cast<int>(std::min<int64_t>(rows.count, (token + 1) * group_ - rows.first));
  };
  for (int row = 0; row < rows.count;) {
    const int from = row;
    int64_t token = (rows.first + row) / group_;
    while (row < rows.count && sees(rows, token, cell, cells))
      row = end_of(token++);
    if (row > from) {
      if (!converted && (!directly || row - from >= kRowsToConvert)) {
        load_block(k_, rows, cell, cells, scratch.keys);
        load_block(v_, rows, cell, cells, scratch.values);
        converted = true;
      }
      score_run(rows, from, row, cell, cells, converted, scratch);
      turn_into_weights(rows, from, row, cell, cells, scratch, parts);
      weigh_run(rows, from, row, cell, cells, converted, scratch);
    }
    if (row < rows.count) row = end_of(token);
  }
}

void Attention::attend(const Rows& rows, int64_t chunk, const Scratch& scratch, Part* parts) const {
  std::fill(parts, parts + rows.count, Part{});
  std::memset(scratch.chunk, 0, rows.count * value_width_ * sizeof(float));
  const int64_t end = std::min(cells_, (chunk + 1) * kChunk);
  for (int64_t cell = chunk * kChunk; cell < end; cell += kBlock)
    attend_block(rows, cell, static_cast<int>(std::min<int64_t>(kBlock, end - cell)), scratch,
                 parts);
}

// A sink is a score without a value.
void Attention::write(const Rows& rows, Part* parts, float* values) const {
  for (int row = 0; row < rows.count; ++row, values += value_width_) {
    const int64_t token = (rows.first + row) / group_;
    const int64_t head = rows.head * group_ + (rows.first + row) % group_;
    Part& part = parts[row];
    if (sinks_ != nullptr) {
      const float sink = static_cast<const float*>(sinks_->data)[head];
      part.raise(sink, value_width_, values);
      part.sum += std::exp(sink - part.highest);
    }
    ggml_vec_scale_f32(value_width_, values, part.sum == 0.0F ? 0.0F : 1.0F / part.sum);
    const int64_t place = (rows.stream * tokens_ + token) * result_.ne[1] + head;
    std::memcpy(static_cast<char*>(result_.data) + place * result_.nb[1], values,
                v_.ne[0] * sizeof(float));
  }
}

// ── Who computes it ─────────────────────────────────────────────────────────

void Attention::compute_whole(int64_t items) {
  const Scratch mine = scratch();
  if (params_.ith == 0) ggml_threadpool_chunk_set(params_.threadpool, params_.nth);
  ggml_barrier(params_.threadpool);
  for (int64_t item = params_.ith; item < items;
       item = ggml_threadpool_chunk_add(params_.threadpool, 1)) {
    const Rows rows = rows_of(item);
    Part before[kMostRows];
    Part parts[kMostRows];
    load_queries(rows, mine.queries);
    std::memset(mine.before, 0, rows.count * value_width_ * sizeof(float));
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      attend(rows, chunk, mine, parts);
      for (int row = 0; row < rows.count; ++row)
        before[row].add(parts[row], mine.chunk + row * value_width_, value_width_,
                        mine.before + row * value_width_);
    }
    write(rows, before, mine.before);
  }
}

// The chunks of all items are shared, and added up behind a barrier, in the same order.
void Attention::compute_by_chunks(int64_t items, float* parts_of_all) {
  const Scratch mine = scratch();
  const int64_t size = 2 + value_width_;  // of a row's part, its values behind it
  const auto part_of = [&](int64_t unit, int row) {
    return parts_of_all + (unit * rows_ + row) * size;
  };
  for (int64_t unit = params_.ith; unit < items * chunks_; unit += params_.nth) {
    const Rows rows = rows_of(unit / chunks_);
    Part parts[kMostRows];
    load_queries(rows, mine.queries);
    attend(rows, unit % chunks_, mine, parts);
    for (int row = 0; row < rows.count; ++row) {
      std::memcpy(part_of(unit, row), parts + row, sizeof(Part));
      std::memcpy(part_of(unit, row) + 2, mine.chunk + row * value_width_,
                  value_width_ * sizeof(float));
    }
  }
  ggml_barrier(params_.threadpool);
  for (int64_t item = params_.ith; item < items; item += params_.nth) {
    const Rows rows = rows_of(item);
    Part before[kMostRows];
    std::memset(mine.before, 0, rows.count * value_width_ * sizeof(float));
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      for (int row = 0; row < rows.count; ++row) {
        const float* const from = part_of(item * chunks_ + chunk, row);
        Part part;
        std::memcpy(&part, from, sizeof part);
        before[row].add(part, from + 2, value_width_, mine.before + row * value_width_);
      }
    }
    write(rows, before, mine.before);
  }
}

void Attention::compute() {
  static_assert(sizeof(Part) == 2 * sizeof(float), "it stands in front of its values");
  // Fewer rows together where there are too few for all threads.
  const int64_t rows = tokens_ * group_;
  const int64_t heads = k_.ne[2] * q_.ne[3];
  const auto items_of = [&](int64_t count) { return (rows + count - 1) / count * heads; };
  const auto least = static_cast<int>(std::min<int64_t>(group_, rows_));
  while (rows_ / 2 >= least && items_of(rows_) < 2 * params_.nth &&
         items_of(rows_ / 2) > items_of(rows_))
    rows_ /= 2;
  const int64_t items = items_of(rows_);
  const int64_t used = scratch_size(rows_) * params_.nth;
  const int64_t more = items * chunks_ * rows_ * (2 + value_width_);
  const bool by_chunks = chunks_ > 1 && items < 2 * params_.nth &&
                         used + more <= static_cast<int64_t>(params_.wsize / sizeof(float));
  if (by_chunks) {
    compute_by_chunks(items, static_cast<float*>(params_.wdata) + used);
  } else {
    compute_whole(items);
  }
}

}  // namespace

extern "C" void cria_attention(const ggml_compute_params* params, ggml_tensor* result) {
  Attention attention(*params, *result);
  if (attention.fits()) {
    attention.compute();
  } else {
    ggml_compute_forward_flash_attn_ext(params, result);
  }
}
