// Values that replace a file's metadata while it is loaded, and what is there with them.
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

// As llama.cpp takes them, each in the kind that the file has it in: a value of another kind would
// be passed over with a line in the log. JavaScript cannot tell 10000.0 from 10000, so a whole
// number becomes a float where the file has one. Throws ERR_INVALID_ARGUMENT for what does not fit.
// A key that the file does not have is left to the load.
std::vector<llama_model_kv_override> read_overrides(const std::vector<MetadataOverride>& overrides,
                                                    const GgufFile& file);

// The metadata as llama.cpp will see it.
class Metadata {
 public:
  Metadata(const GgufFile& file, const std::vector<MetadataOverride>& overrides);

  const std::string& architecture() const { return architecture_; }
  // "block_count" of the architecture.
  std::string key(const std::string& name) const { return architecture_ + "." + name; }

  std::optional<std::string> text(const std::string& key) const;
  // A single number or flag.
  std::optional<double> number(const std::string& key) const;
  // Those of a list, or the single one.
  std::vector<double> numbers(const std::string& key) const;
  const GgufFile& file() const { return file_; }
  // All there are, those that only an override brings at the end.
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  const GgufFile& file_;
  std::unordered_map<std::string, decltype(MetadataOverride::second)> overrides_;
  std::vector<std::string> keys_;
  std::string architecture_;
};

}  // namespace cria
