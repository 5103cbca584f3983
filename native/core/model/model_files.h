// The files of a model, one or the parts of a split one, with what their headers say. None of them
// is opened by llama.cpp before it was read here: that one would wait for a FIFO for ever.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/gguf_file.h"
#include "core/model/regular_file.h"

namespace cria {

class ModelFiles {
 public:
  // Throws ERR_MODEL_INVALID for a file that is none, and for parts that do not belong together;
  // ERR_DISPOSED once `goes_on` says no.
  ModelFiles(const std::string& path, const std::function<bool()>& goes_on);

  const std::vector<std::string>& paths() const { return paths_; }
  // The first one's: it has the metadata of all.
  const GgufFile& header() const { return *header_; }
  // Of all parts.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  // Tells the weights of one model from those of another without reading all of them: 16
  // hexadecimal digits made of the size of every file and of blocks spread evenly over it, the
  // first and the last among them. A few hundred reads of 4 KiB; small files are read whole.
  std::string fingerprint() const;

 private:
  void read_part(size_t index, const std::function<bool()>& goes_on);
  void name_parts();
  void check_tensors() const;

  std::vector<std::string> paths_;
  std::unique_ptr<RegularFile> first_;
  std::unique_ptr<GgufFile> header_;
  std::vector<GgufTensor> tensors_;
};

}  // namespace cria
