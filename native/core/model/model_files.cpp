#include "core/model/model_files.h"

#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <unordered_set>

#include "core/model/error.h"
#include "core/model/hash.h"

namespace cria {

namespace {

GgufBlock block_of(uint32_t type) {
  if (type >= GGML_TYPE_COUNT) return {};
  const auto known = static_cast<ggml_type>(type);
  return {static_cast<uint64_t>(ggml_blck_size(known)), ggml_type_size(known)};
}

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Error(code::kModelInvalid,
              "\"" + path + "\" is not a complete GGUF file of a model: " + what + ".");
}

// llama.cpp reads it in this type only.
std::optional<int64_t> split_value(const GgufFile& header, const std::string& path, const char* key,
                                   GgufType type) {
  const GgufValue* value = header.find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type == type) {
    if (const auto* number = std::get_if<uint64_t>(&value->scalar)) {
      return static_cast<int64_t>(*number);
    }
    if (const auto* number = std::get_if<int64_t>(&value->scalar)) return *number;
  }
  refuse(path, std::string("\"") + key + "\" is not of type " + name_of(type));
}

constexpr uint64_t kBlock = 4096;
constexpr uint64_t kBlocks = 512;  // for all files together

// At least two blocks of each file: the beginning, which has names and sizes, and the end.
uint64_t share_of(size_t files) { return std::max<uint64_t>(kBlocks / files, 2); }

void sample(const ByteSource& file, uint64_t blocks, std::string& text) {
  const uint64_t size = file.size();
  text += std::to_string(size) + '\0';
  const auto append = [&](uint64_t offset, uint64_t count) {
    const size_t before = text.size();
    text.resize(before + static_cast<size_t>(count));
    file.read(offset, text.data() + before, static_cast<size_t>(count));
  };
  if (size <= blocks * kBlock) return append(0, size);
  for (uint64_t block = 0; block < blocks; ++block) {
    append((size - kBlock) / (blocks - 1) * block, kBlock);
  }
  append(size - kBlock, kBlock);
}

}  // namespace

ModelFiles::ModelFiles(const std::string& path, const std::function<bool()>& goes_on)
    : paths_{path} {
  read_part(0, goes_on);
  name_parts();
  for (size_t part = 1; part < paths_.size(); ++part)
    read_part(part, goes_on);
  if (paths_.size() > 1) check_tensors();
}

void ModelFiles::read_part(size_t index, const std::function<bool()>& goes_on) {
  const std::string& path = paths_[index];
  try {
    auto file = std::make_unique<RegularFile>(path);
    auto header = std::make_unique<GgufFile>(*file, block_of, goes_on);
    tensors_.insert(tensors_.end(), header->tensors().begin(), header->tensors().end());
    ends_.push_back(tensors_.size());
    if (index > 0) {
      const auto number = split_value(*header, path, "split.no", GgufType::kUint16);
      if (number != static_cast<int64_t>(index)) {
        refuse(path, "it does not say that it is part " + std::to_string(index + 1) + " of " +
                         std::to_string(paths_.size()));
      }
      return;
    }
    first_ = std::move(file);
    header_ = std::move(header);
  } catch (const Error& error) {
    const std::string what = error.what();
    if (error.code() != code::kModelInvalid || what.front() == '"') throw;
    refuse(path, what);
  }
}

void ModelFiles::read(const GgufTensor& tensor, void* to, size_t count) const {
  const auto index = static_cast<size_t>(&tensor - tensors_.data());
  const auto part = std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin();
  RegularFile(paths_[static_cast<size_t>(part)]).read(tensor.offset, to, count);
}

void ModelFiles::name_parts() {
  const std::string path = paths_.front();
  const auto parts = split_value(*header_, path, "split.count", GgufType::kUint16).value_or(0);
  if (parts < 2) return;
  if (split_value(*header_, path, "split.no", GgufType::kUint16).value_or(0) != 0) {
    refuse(path, "it is a later part of a split model. Expected the first one");
  }
  const auto count = static_cast<int32_t>(parts);
  std::string prefix(path.size() + 1, '\0');
  const int32_t length = llama_split_prefix(prefix.data(), prefix.size(), path.c_str(), 0, count);
  if (length <= 0) {
    refuse(path, "it is the first of " + std::to_string(count) +
                     " parts, so its name has to end like \"-00001-of-" +
                     std::string(5 - std::min<size_t>(5, std::to_string(count).size()), '0') +
                     std::to_string(count) + ".gguf\"");
  }
  prefix.resize(static_cast<size_t>(length));
  for (int32_t part = 1; part < count; ++part) {
    std::string name(path.size() + 32, '\0');
    llama_split_path(name.data(), name.size(), prefix.c_str(), part, count);
    paths_.emplace_back(name.c_str());
  }
}

void ModelFiles::check_tensors() const {
  std::unordered_set<std::string> names;
  for (const GgufTensor& tensor : tensors_) {
    if (names.insert(tensor.name).second) continue;
    refuse(paths_.front(), "the tensor \"" + tensor.name + "\" is in two of its parts");
  }
  const auto said = split_value(*header_, paths_.front(), "split.tensors.count", GgufType::kInt32);
  if (said == static_cast<int64_t>(tensors_.size())) return;
  refuse(paths_.front(), "its parts have " + std::to_string(tensors_.size()) +
                             " tensors together, \"split.tensors.count\" says " +
                             (said ? std::to_string(*said) : "nothing"));
}

std::string ModelFiles::fingerprint() const {
  std::string text;
  for (const std::string& path : paths_)
    sample(RegularFile(path), share_of(paths_.size()), text);
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash_of(text)));
  return digits;
}

}  // namespace cria
