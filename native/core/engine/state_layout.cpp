#include "core/engine/state_layout.h"

#include <ggml.h>

#include <cstring>

namespace cria {

namespace {

// Reads on from place to place; what is not there is 0, and ends it.
class Reader {
 public:
  explicit Reader(const std::vector<uint8_t>& bytes) : bytes_(bytes) {}

  bool done() const { return at_ >= bytes_.size(); }

  template <typename T>
  T number() {
    T value = 0;
    if (bytes_.size() - at_ < sizeof value) {
      at_ = bytes_.size();
    } else {
      std::memcpy(&value, bytes_.data() + at_, sizeof value);
      at_ += sizeof value;
    }
    return value;
  }

  void skip(uint64_t count, uint64_t size) {
    const uint64_t left = bytes_.size() - at_;
    const bool fits = size == 0 || count <= left / size;
    at_ = fits ? at_ + static_cast<size_t>(count * size) : bytes_.size();
  }

 private:
  const std::vector<uint8_t>& bytes_;
  size_t at_ = 0;
};

constexpr uint32_t kMaxStreams = 256;
constexpr uint32_t kMaxLayers = 4096;
constexpr uint64_t kMaxRow = 1 << 24;

bool is_type(int32_t type) { return type >= 0 && type < GGML_TYPE_COUNT; }

// As llama_kv_cache::state_write_data() has it: keys, then values, layer by layer. False where this
// is something else.
bool skip_layers(Reader& reader, uint32_t cells) {
  const auto transposed = reader.number<uint32_t>();
  const auto layers = reader.number<uint32_t>();
  if (transposed > 1 || layers == 0 || layers > kMaxLayers) return false;
  for (uint32_t i = 0; i < 2 * layers; ++i) {
    const bool rows = i < layers || transposed == 0;
    if (!is_type(reader.number<int32_t>())) return false;
    const uint64_t row = rows ? reader.number<uint64_t>()
                              : uint64_t{reader.number<uint32_t>()} * reader.number<uint32_t>();
    if (row == 0 || row > kMaxRow) return false;
    reader.skip(cells, row);
  }
  return true;
}

}  // namespace

bool claims_too_many_cells(const std::vector<uint8_t>& state, size_t tokens) {
  constexpr uint64_t kCell = 12;  // position, number of sequences, sequence
  Reader reader(state);
  reader.number<uint32_t>();  // the mark of a state
  reader.number<int32_t>();   // the sequence it was
  while (!reader.done()) {    // a cache, and where some layers look back less far, another one
    const auto streams = reader.number<uint32_t>();
    if (streams == 0 || streams > kMaxStreams) return false;
    for (uint32_t i = 0; i < streams && !reader.done(); ++i) {
      const auto cells = reader.number<uint32_t>();
      if (cells > tokens) return true;
      if (cells == 0) continue;
      reader.skip(cells, kCell);
      if (!skip_layers(reader, cells)) return false;
    }
  }
  return false;
}

}  // namespace cria
