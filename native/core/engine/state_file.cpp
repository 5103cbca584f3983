#include "core/engine/state_file.h"

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "core/engine/file_replacement.h"
#include "core/model/error.h"
#include "core/model/hash.h"

namespace cria {

namespace fs = std::filesystem;

namespace {

// Little-endian throughout: the machines llama.cpp's states are exchanged between.
struct Header {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t token_count;
  uint64_t fingerprint;
  uint64_t state_size;
  uint64_t checksum;  // of tokens and state
};

constexpr std::array<char, 8> kMagic{'c', 'r', 'i', 'a', '-', 's', 'e', 'q'};
constexpr uint32_t kVersion = 1;

// So much is read at a time. Whole words of the hash.
constexpr size_t kPiece = size_t{16} << 20;

uint64_t checksum(const StateFile& file) {
  const uint64_t tokens = hash(file.tokens.data(), file.tokens.size() * sizeof(llama_token));
  return hash(file.state.data(), file.state.size(), tokens);
}

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw Error(code::kStateInvalid, "The sequence's file " + path + " " + reason);
}

// Reads from front to back. Beyond the end every number is 0.
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

// llama.cpp makes room for as many cells as a state says it has before it reads the first one: for
// four billion of them, where a bit is wrong. So a cache in it must not claim more cells than the
// sequence has tokens. A layout that is not known here (caches of other kinds than keys and values)
// is left to llama.cpp.
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

}  // namespace

void write_state_file(const std::string& path, const StateFile& file) {
  const Header header{
      kMagic,           kVersion,          static_cast<uint32_t>(file.tokens.size()),
      file.fingerprint, file.state.size(), checksum(file)};
  try {
    FileReplacement replacement(path);
    replacement.write(&header, sizeof header);
    replacement.write(file.tokens.data(), file.tokens.size() * sizeof(llama_token));
    replacement.write(file.state.data(), file.state.size());
    replacement.commit();
  } catch (const std::runtime_error& error) {
    fail(path, "could not be written: " + std::string(error.what()) + ".");
  }
}

StateFile read_state_file(const std::string& path, uint64_t fingerprint, const ReadLimits& limits) {
  std::error_code error;
  const fs::path source = fs::u8path(path);
  // Opening a pipe would wait for its writer.
  if (!fs::is_regular_file(source, error)) fail(path, "does not exist, or is not a regular file.");
  const uintmax_t size = fs::file_size(source, error);
  std::ifstream in(source, std::ios::binary);
  if (error || !in) fail(path, "cannot be read.");

  Header header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  if (!in || header.magic != kMagic) fail(path, "is not a sequence saved by cria.");
  if (header.version != kVersion) {
    fail(path, "has version " + std::to_string(header.version) +
                   " of the format, this cria reads " + std::to_string(kVersion) + ".");
  }
  if (header.fingerprint != fingerprint) {
    fail(path,
         "was saved with another model, or with other settings of the cache: restore it where it "
         "was saved.");
  }
  const uint64_t tokens = uint64_t{header.token_count} * sizeof(llama_token);
  const uint64_t rest = size - sizeof header;
  if (tokens > rest || header.state_size != rest - tokens) fail(path, "is incomplete.");

  if (int64_t{header.token_count} > limits.most_tokens) {
    throw Error(code::kContextFull,
                "The file holds " + std::to_string(header.token_count) + " tokens, more than the " +
                    std::to_string(limits.most_tokens) +
                    " that a sequence can hold. Create the context with a larger `contextSize`.");
  }

  StateFile file;
  file.fingerprint = fingerprint;
  file.tokens.resize(header.token_count);
  in.read(reinterpret_cast<char*>(file.tokens.data()), static_cast<std::streamsize>(tokens));
  uint64_t sum = hash(file.tokens.data(), static_cast<size_t>(tokens));
  const auto state_size = static_cast<size_t>(header.state_size);
  file.state.resize(state_size);
  for (size_t at = 0; in && at < state_size;) {
    if (limits.goes_on && !limits.goes_on()) return {};
    const size_t count = std::min(kPiece, state_size - at);
    in.read(reinterpret_cast<char*>(file.state.data() + at), static_cast<std::streamsize>(count));
    sum = hash(file.state.data() + at, count, sum);
    at += count;
  }
  if (!in || sum != header.checksum) fail(path, "is damaged.");
  if (claims_too_many_cells(file.state, file.tokens.size())) fail(path, "is damaged.");
  return file;
}

}  // namespace cria
