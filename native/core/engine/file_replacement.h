// A file that is written beside its place and put there when it is whole: what was there before is
// there until then, and stays if anything goes wrong.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>

namespace cria {

class FileReplacement {
 public:
  // Behind a link the file that it leads to is replaced, and what replaces a file has its mode, and
  // where that may be its owner. Throws std::runtime_error with the reason, as all of this: what is
  // there is no regular file, or may not be written.
  explicit FileReplacement(const std::string& path);
  // Without commit(): as if nothing had been written.
  ~FileReplacement();
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  void write(const void* data, size_t size);

  // Once, and the last call. On the disk when it returns.
  void commit();

 private:
  void close();

  std::filesystem::path target_;
  std::filesystem::path partial_;
  std::FILE* file_ = nullptr;
};

}  // namespace cria
