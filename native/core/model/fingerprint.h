// What tells the weights of one model from those of another without reading all of them: the size
// of every file, and the bytes of some blocks, spread evenly, the first and the last among them.
#pragma once

#include <string>
#include <vector>

namespace cria {

// Of all files of a model, in their order: 16 hexadecimal digits. A few hundred reads of 4 KiB,
// however large the files are; small ones are read whole. Throws ERR_MODEL_INVALID for a file that
// cannot be read.
std::string fingerprint_of(const std::vector<std::string>& paths);

}  // namespace cria
