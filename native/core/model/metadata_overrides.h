// Values that replace a file's metadata while it is loaded, and the metadata with them applied.
#pragma once

#include <llama.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "core/model/gguf_file.h"

namespace cria {

using MetadataOverride = std::pair<std::string, std::variant<bool, int64_t, double, std::string>>;

// The overrides in llama.cpp's form, each in the type that the file has: llama.cpp would skip one
// of another type and only log that. JavaScript cannot tell 10000.0 from 10000, so a whole number
// becomes a float where the file has a float. Throws ERR_INVALID_ARGUMENT for a value that does not
// fit. Keys that are not in the file are passed on as they are.
std::vector<llama_model_kv_override> read_overrides(const std::vector<MetadataOverride>& overrides,
                                                    const GgufFile& file);

// The metadata as llama.cpp will see them.
class Metadata {
 public:
  Metadata(const GgufFile& file, const std::vector<MetadataOverride>& overrides);

  const std::string& architecture() const { return architecture_; }
  // The architecture's key for "block_count" and the like.
  std::string key(const std::string& name) const { return architecture_ + "." + name; }

  std::optional<std::string> text(const std::string& key) const;
  // A single number or flag.
  std::optional<double> number(const std::string& key) const;
  // The numbers of a list, or a single one.
  std::vector<double> numbers(const std::string& key) const;
  const GgufFile& file() const { return file_; }
  // All keys; those that only an override has come last.
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  const GgufFile& file_;
  std::unordered_map<std::string, decltype(MetadataOverride::second)> overrides_;
  std::vector<std::string> keys_;
  std::string architecture_;
};

}  // namespace cria
