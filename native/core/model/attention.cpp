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

#include "core/model/attention_inputs.h"
#include "core/model/attention_tiles.h"

namespace {

using cria::attention::BlockMask;
using cria::attention::Inputs;
using cria::attention::is_read_directly;
using cria::attention::kBlock;
using cria::attention::Rows;
using cria::attention::score;
using cria::attention::weigh;

// Cells that are added up by themselves: threads may share the cells of a row by chunks.
constexpr int64_t kChunk = 512;
constexpr int kMostRows = 64;  // that share a block of keys
// From so many rows on it pays to convert a block once.
constexpr int kRowsToConvert = 17;
constexpr float kNever = -std::numeric_limits<float>::infinity();

// ── One evaluation ──────────────────────────────────────────────────────────

// What is known of a row after some of its cells: the highest score, and the sum of
// exp(score - highest). Beside it stand the values, added up by the same weights.
struct Part {
  Part() = default;
  Part(float score, float weights) : highest(score), sum(weights) {}

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

// This thread's part of the work buffer.
struct Scratch {
  float* queries;
  float* scores;
  float* chunk;   // the values of a chunk,
  float* before;  // and of those before it
  float* keys;
  float* values;
};

class Attention {
 public:
  Attention(const ggml_compute_params& params, ggml_tensor& result);

  // Whether this is what is computed here, with the room that there is.
  bool fits() const { return rows_ > 0; }
  void compute();

 private:
  int most_rows() const;
  int64_t scratch_size(int64_t rows) const;
  Scratch scratch() const;
  Rows rows_of(int64_t item) const;
  void attend(const Rows& rows, int64_t chunk, const Scratch& scratch, Part* parts) const;
  void attend_block(const Rows& rows, int64_t cell, int cells, const Scratch& scratch,
                    Part* parts) const;
  void score_run(const Rows& rows, int from, int to, int64_t cell, int cells, bool converted,
                 const Scratch& scratch) const;
  void weigh_run(const Rows& rows, int from, int to, int64_t cell, int begin, int end,
                 bool converted, const Scratch& scratch) const;
  void weigh_seen(const Rows& rows, int from, int to, int64_t cell, int cells, bool converted,
                  const Scratch& scratch) const;
  void turn_into_weights(const Rows& rows, int from, int to, int64_t cell, int cells,
                         const Scratch& scratch, Part* parts) const;
  void write(const Rows& rows, Part* parts, float* values) const;

  void compute_whole(int64_t items);
  void compute_by_chunks(int64_t items, float* parts);

  const ggml_compute_params& params_;
  ggml_tensor& result_;
  const Inputs in_;
  const int64_t chunks_;
  int rows_ = 0;  // at a time
};

Attention::Attention(const ggml_compute_params& params, ggml_tensor& result)
    : params_(params), result_(result), in_(result), chunks_((in_.cells + kChunk - 1) / kChunk) {
  if (!params.use_ref && in_.is_known()) rows_ = most_rows();
}

int64_t Attention::scratch_size(int64_t rows) const {
  return rows * (in_.key_width + kBlock + 2 * in_.value_width) +
         kBlock * (in_.key_width + in_.value_width);
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
  float* const queries = take(rows_ * in_.key_width);
  float* const scores = take(rows_ * kBlock);
  float* const chunk = take(rows_ * in_.value_width);
  float* const before = take(rows_ * in_.value_width);
  float* const keys = take(kBlock * in_.key_width);
  return {queries, scores, chunk, before, keys, at};
}

Rows Attention::rows_of(int64_t item) const {
  const int64_t rows = in_.tokens * in_.group;
  const int64_t blocks = (rows + rows_ - 1) / rows_;
  const int64_t first = item % blocks * rows_;
  const auto count = static_cast<int>(std::min<int64_t>(rows_, rows - first));
  return {item / blocks / in_.k.ne[2], item / blocks % in_.k.ne[2], first, count};
}

// ── What is computed ────────────────────────────────────────────────────────

void Attention::score_run(const Rows& rows, int from, int to, int64_t cell, int cells,
                          bool converted, const Scratch& scratch) const {
  const float* const queries = scratch.queries + from * in_.key_width;
  float* const scores = scratch.scores + from * kBlock;
  if (converted) {
    score(queries, to - from, in_.key_width, scratch.keys, in_.key_width, cells, scores);
    return;
  }
#ifdef CRIA_LOADS_HALVES
  score(queries, to - from, in_.key_width,
        reinterpret_cast<const uint16_t*>(in_.at(in_.k, rows, cell)),
        static_cast<int64_t>(in_.k.nb[1] / sizeof(uint16_t)), cells, scores);
#endif
}

// Of cells `begin` to `end` of the block.
void Attention::weigh_run(const Rows& rows, int from, int to, int64_t cell, int begin, int end,
                          bool converted, const Scratch& scratch) const {
  const float* const weights = scratch.scores + from * kBlock + begin;
  float* const sums = scratch.chunk + from * in_.value_width;
  if (converted) {
    weigh(weights, to - from, end - begin, scratch.values + begin * in_.value_width,
          in_.value_width, in_.value_width, sums);
    return;
  }
#ifdef CRIA_LOADS_HALVES
  weigh(weights, to - from, end - begin,
        reinterpret_cast<const uint16_t*>(in_.at(in_.v, rows, cell + begin)),
        static_cast<int64_t>(in_.v.nb[1] / sizeof(uint16_t)), in_.value_width, sums);
#endif
}

// Rows that see the whole block go together, others take the cells that they see.
void Attention::weigh_seen(const Rows& rows, int from, int to, int64_t cell, int cells,
                           bool converted, const Scratch& scratch) const {
  for (int row = from; row < to;) {
    const int first = row;
    int64_t token = in_.token_of(rows, row);
    while (row < to && in_.sees_all(rows, token, cell, cells))
      row = in_.end_of(rows, token++);
    if (row > first) weigh_run(rows, first, row, cell, 0, cells, converted, scratch);
    if (row == to) return;
    const int last = in_.end_of(rows, token);
    for (int end = 0; end < cells;) {
      const int begin = in_.first_of(true, rows, token, cell, end, cells);
      end = in_.first_of(false, rows, token, cell, begin, cells);
      if (begin < end) weigh_run(rows, row, last, cell, begin, end, converted, scratch);
    }
    row = last;
  }
}

void Attention::turn_into_weights(const Rows& rows, int from, int to, int64_t cell, int cells,
                                  const Scratch& scratch, Part* parts) const {
  BlockMask mask;
  int64_t token = -1;
  for (int row = from; row < to; ++row) {
    if (in_.token_of(rows, row) != token) {
      token = in_.token_of(rows, row);
      mask = in_.block_mask(rows, token, cell, cells);
    }
    float* const scores = scratch.scores + row * kBlock;
    if (in_.softcap != 0.0F) {
      for (int i = 0; i < cells; ++i)
        scores[i] = in_.softcap * std::tanh(scores[i]);
    }
    if (!mask.none) {
      const float slope = in_.slope_of(in_.head_of(rows, row));
      for (int i = 0; i < cells; ++i)
        scores[i] = mask.added[i] == kNever ? kNever : scores[i] + slope * mask.added[i];
    }
    for (int i = cells; i < kBlock; ++i)
      scores[i] = kNever;
    float highest = kNever;
    ggml_vec_max_f32(kBlock, &highest, scores);
    if (highest == kNever) {
      std::memset(scores, 0, kBlock * sizeof(float));
      continue;
    }
    parts[row].raise(highest, in_.value_width, scratch.chunk + row * in_.value_width);
    parts[row].sum +=
        static_cast<float>(ggml_vec_soft_max_f32(kBlock, scores, scores, parts[row].highest));
  }
}

// Rows whose tokens see nothing of the block are passed over: with a unified cache most cells
// belong to others.
void Attention::attend_block(const Rows& rows, int64_t cell, int cells, const Scratch& scratch,
                             Part* parts) const {
  const bool directly = is_read_directly(in_.k) && is_read_directly(in_.v);
  bool converted = false;
  bool fetched = false;
  for (int row = 0; row < rows.count;) {
    const int from = row;
    int64_t token = in_.token_of(rows, row);
    while (row < rows.count && in_.sees_any(rows, token, cell, cells))
      row = in_.end_of(rows, token++);
    if (row > from) {
      const bool convert = !converted && (!directly || row - from >= kRowsToConvert);
      converted = converted || convert;
      if (convert) in_.load_block(in_.k, rows, cell, cells, scratch.keys);
      if (!fetched) in_.fetch_block(in_.k, rows, cell + kBlock);
      score_run(rows, from, row, cell, cells, converted, scratch);
      turn_into_weights(rows, from, row, cell, cells, scratch, parts);
      if (convert) in_.load_block(in_.v, rows, cell, cells, scratch.values);
      if (!fetched) in_.fetch_block(in_.v, rows, cell + kBlock);
      fetched = true;
      weigh_seen(rows, from, row, cell, cells, converted, scratch);
    }
    if (row < rows.count) row = in_.end_of(rows, token);
  }
}

void Attention::attend(const Rows& rows, int64_t chunk, const Scratch& scratch, Part* parts) const {
  std::fill(parts, parts + rows.count, Part{});
  std::memset(scratch.chunk, 0, rows.count * in_.value_width * sizeof(float));
  const int64_t end = std::min(in_.cells, (chunk + 1) * kChunk);
  for (int64_t cell = chunk * kChunk; cell < end; cell += kBlock)
    attend_block(rows, cell, static_cast<int>(std::min<int64_t>(kBlock, end - cell)), scratch,
                 parts);
}

// A sink is a score without a value.
void Attention::write(const Rows& rows, Part* parts, float* values) const {
  for (int row = 0; row < rows.count; ++row, values += in_.value_width) {
    const int64_t token = in_.token_of(rows, row);
    const int64_t head = in_.head_of(rows, row);
    Part& part = parts[row];
    if (in_.sinks != nullptr) {
      const float sink = static_cast<const float*>(in_.sinks->data)[head];
      part.raise(sink, in_.value_width, values);
      part.sum += std::exp(sink - part.highest);
    }
    ggml_vec_scale_f32(in_.value_width, values, part.sum == 0.0F ? 0.0F : 1.0F / part.sum);
    const int64_t place = (rows.stream * in_.tokens + token) * result_.ne[1] + head;
    std::memcpy(static_cast<char*>(result_.data) + place * result_.nb[1], values,
                in_.v.ne[0] * sizeof(float));
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
    in_.load_queries(rows, mine.queries);
    std::memset(mine.before, 0, rows.count * in_.value_width * sizeof(float));
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      attend(rows, chunk, mine, parts);
      for (int row = 0; row < rows.count; ++row)
        before[row].add(parts[row], mine.chunk + row * in_.value_width, in_.value_width,
                        mine.before + row * in_.value_width);
    }
    write(rows, before, mine.before);
  }
}

// The chunks of all items are shared, and added up behind a barrier, in the same order.
void Attention::compute_by_chunks(int64_t items, float* parts_of_all) {
  const Scratch mine = scratch();
  const int64_t size = 2 + in_.value_width;  // of a row's part, its values behind it
  const auto part_of = [&](int64_t unit, int row) {
    return parts_of_all + (unit * rows_ + row) * size;
  };
  for (int64_t unit = params_.ith; unit < items * chunks_; unit += params_.nth) {
    const Rows rows = rows_of(unit / chunks_);
    Part parts[kMostRows];
    in_.load_queries(rows, mine.queries);
    attend(rows, unit % chunks_, mine, parts);
    for (int row = 0; row < rows.count; ++row) {
      float* const to = part_of(unit, row);
      to[0] = parts[row].highest;
      to[1] = parts[row].sum;
      std::memcpy(to + 2, mine.chunk + row * in_.value_width, in_.value_width * sizeof(float));
    }
  }
  ggml_barrier(params_.threadpool);
  for (int64_t item = params_.ith; item < items; item += params_.nth) {
    const Rows rows = rows_of(item);
    Part before[kMostRows];
    std::memset(mine.before, 0, rows.count * in_.value_width * sizeof(float));
    for (int64_t chunk = 0; chunk < chunks_; ++chunk) {
      for (int row = 0; row < rows.count; ++row) {
        const float* const from = part_of(item * chunks_ + chunk, row);
        before[row].add({from[0], from[1]}, from + 2, in_.value_width,
                        mine.before + row * in_.value_width);
      }
    }
    write(rows, before, mine.before);
  }
}

void Attention::compute() {
  // Fewer rows together where there are too few for all threads.
  const int64_t rows = in_.tokens * in_.group;
  const int64_t heads = in_.k.ne[2] * in_.q.ne[3];
  const auto items_of = [&](int64_t count) { return (rows + count - 1) / count * heads; };
  rows_ = static_cast<int>(std::min<int64_t>(rows_, rows));
  const auto least = static_cast<int>(std::min<int64_t>(in_.group, rows_));
  while (rows_ / 2 >= least && items_of(rows_) < 2 * params_.nth &&
         items_of(rows_ / 2) > items_of(rows_))
    rows_ /= 2;
  const int64_t items = items_of(rows_);
  const int64_t used = scratch_size(rows_) * params_.nth;
  const int64_t more = items * chunks_ * rows_ * (2 + in_.value_width);
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
