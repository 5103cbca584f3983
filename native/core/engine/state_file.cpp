#include "core/engine/state_file.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <system_error>

#include "core/engine/file_replacement.h"
#include "core/engine/state_layout.h"
#include "core/model/error.h"

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

// FNV-1a over 8 bytes at a time: against accidents, not against attackers.
uint64_t hash(const void* data, size_t size, uint64_t seed) {
  constexpr uint64_t kPrime = 0x100000001b3;
  const auto* bytes = static_cast<const unsigned char*>(data);
  uint64_t sum = seed;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), bytes += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    sum = (sum ^ word) * kPrime;
    sum ^= sum >> 29;
  }
  for (; size > 0; --size, ++bytes)
    sum = (sum ^ *bytes) * kPrime;
  return sum;
}

constexpr uint64_t kSeed = 0xcbf29ce484222325;

uint64_t checksum(const StateFile& file) {
  const uint64_t tokens = hash(file.tokens.data(), file.tokens.size() * sizeof(llama_token), kSeed);
  return hash(file.state.data(), file.state.size(), tokens);
}

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw Error(code::kStateInvalid, "The sequence's file " + path + " " + reason);
}

}  // namespace

uint64_t hash_of(const std::string& text) { return hash(text.data(), text.size(), kSeed); }

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

StateFile read_state_file(const std::string& path, uint64_t fingerprint) {
  std::error_code error;
  const fs::path source = fs::u8path(path);
  // A pipe would be waited for.
  if (!fs::is_regular_file(source, error)) fail(path, "is not there, or is no file.");
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
  if (tokens > rest || header.state_size != rest - tokens) fail(path, "is not whole.");

  StateFile file;
  file.fingerprint = fingerprint;
  file.tokens.resize(header.token_count);
  file.state.resize(static_cast<size_t>(header.state_size));
  in.read(reinterpret_cast<char*>(file.tokens.data()), static_cast<std::streamsize>(tokens));
  in.read(reinterpret_cast<char*>(file.state.data()),
          static_cast<std::streamsize>(header.state_size));
  if (!in || checksum(file) != header.checksum) fail(path, "is damaged.");
  if (claims_too_many_cells(file.state, file.tokens.size())) fail(path, "is damaged.");
  return file;
}

}  // namespace cria
