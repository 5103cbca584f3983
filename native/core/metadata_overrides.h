// Values that replace a file's metadata while it is loaded.
#pragma once

#include <llama.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cria {

using MetadataOverride = std::pair<std::string, std::variant<bool, int64_t, double, std::string>>;

// As llama.cpp takes them, each in the kind that the file at `path` has it in: a value of another
// kind would be passed over with a line in the log. JavaScript cannot tell 10000.0 from 10000, so
// a whole number becomes a float where the file has one. Throws ERR_INVALID_ARGUMENT for what does
// not fit. A key that the file does not have, or a file that cannot be read, is left to the load.
std::vector<llama_model_kv_override> read_overrides(const std::vector<MetadataOverride>& overrides,
                                                    const std::string& path);

}  // namespace cria
