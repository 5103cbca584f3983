#include "core/engine/partial_state.h"

#include <ggml.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>

namespace cria {

namespace {

constexpr llama_state_seq_flags kPartial = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;

using Bytes = std::vector<uint8_t>;
using Order = std::vector<uint32_t>;

// Goes through a state as llama_kv_cache::state_write() has it, and sorts as it goes. Whatever does
// not look like one ends it: it returns false then, and the bytes are of no use.
class WindowSorter {
 public:
  explicit WindowSorter(Bytes& bytes) : bytes_(bytes) {}

  bool sort() {
    number<uint32_t>();  // the mark of a state
    number<int32_t>();   // the sequence it was
    const auto streams = number<uint32_t>();
    if (streams == 0 || streams > kMostStreams) return false;
    for (uint32_t i = 0; i < streams && good_; ++i) {
      const auto cells = number<uint32_t>();
      if (cells > 0) sort_cells(cells);
    }
    return good_;
  }

 private:
  struct Cell {
    int32_t position;
    uint32_t sequences;
    int32_t sequence;
  };
  static constexpr uint32_t kMostStreams = 256;

  void sort_cells(uint32_t count) {
    const size_t begin = at_;
    Order order(has(count, sizeof(Cell)) ? count : 0);
    std::vector<int32_t> positions;
    for (size_t i = 0; i < order.size(); ++i) {
      const auto cell = number<Cell>();
      if (cell.sequences != 1) good_ = false;
      positions.push_back(cell.position);
    }
    if (!good_) return;
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return positions[a] < positions[b]; });
    at_ = begin;
    sort_rows(order, sizeof(Cell));
    const bool transposed = number<uint32_t>() != 0;
    const auto layers = number<uint32_t>();
    for (uint32_t i = 0; i < layers && good_; ++i)
      sort_tensor(order, false);
    for (uint32_t i = 0; i < layers && good_; ++i)
      sort_tensor(order, transposed);
  }

  void sort_tensor(const Order& order, bool transposed) {
    const auto type = number<int32_t>();
    if (type < 0 || type >= GGML_TYPE_COUNT) good_ = false;
    if (!transposed) return sort_rows(order, number<uint64_t>());
    const auto element = number<uint32_t>();
    const auto rows = number<uint32_t>();
    for (uint32_t i = 0; i < rows && good_; ++i)
      sort_rows(order, element);
  }

  void sort_rows(const Order& order, uint64_t size) {
    if (!has(order.size(), size)) return;
    const auto width = static_cast<size_t>(size);
    uint8_t* const rows = bytes_.data() + at_;
    old_.assign(rows, rows + order.size() * width);
    for (size_t i = 0; i < order.size(); ++i)
      std::memcpy(rows + i * width, old_.data() + order[i] * width, width);
    at_ += order.size() * width;
  }

  bool has(uint64_t count, uint64_t size) {
    const uint64_t left = bytes_.size() - at_;
    if (size == 0 || count > left / size) good_ = false;
    return good_;
  }

  template <typename T>
  T number() {
    T value{};
    if (!has(1, sizeof value)) return value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  Bytes& bytes_;
  Bytes old_;
  size_t at_ = 0;
  bool good_ = true;
};

bool read_state(llama_context* context, llama_seq_id sequence, Bytes& state) {
  return llama_state_seq_get_data_ext(context, state.data(), state.size(), sequence, kPartial) ==
         state.size();
}

}  // namespace

std::vector<uint8_t> partial_state(llama_context* context, llama_seq_id sequence, bool window) {
  try {
    Bytes state(llama_state_seq_get_size_ext(context, sequence, kPartial));
    if (!read_state(context, sequence, state)) return {};
    const bool spoilt = window && !WindowSorter(state).sort();
    if (spoilt && !read_state(context, sequence, state)) return {};
    return state;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

bool put_partial_state(llama_context* context, llama_seq_id sequence,
                       const std::vector<uint8_t>& state) {
  return !state.empty() && llama_state_seq_set_data_ext(context, state.data(), state.size(),
                                                        sequence, kPartial) == state.size();
}

}  // namespace cria
