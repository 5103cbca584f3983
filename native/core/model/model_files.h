// The files of a model, one or the parts of a split one, and what their headers say. llama.cpp
// opens none of them before it was read here: it would wait for a FIFO for ever.
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
  // Throws ERR_MODEL_INVALID for a file that is not a model, and for parts that do not belong
  // together; ERR_DISPOSED once `goes_on` returns false.
  ModelFiles(const std::string& path, const std::function<bool()>& goes_on);

  const std::vector<std::string>& paths() const { return paths_; }
  // The header of the first part, which has the metadata of all.
  const GgufFile& header() const { return *header_; }
  // The tensors of all parts.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  // The first bytes of one of these.
  void read(const GgufTensor& tensor, void* to, size_t count) const;

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
  std::vector<size_t> ends_;  // how many of them are in the parts up to each
};

}  // namespace cria
