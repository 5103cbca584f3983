// A file that is written under another name and renamed when it is complete: until then, and if
// anything goes wrong, the old file stays.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>

namespace cria {

class FileReplacement {
 public:
  // Links are followed. The new file gets the mode of the old one and, where the system allows it,
  // its owner. Like all functions here it throws std::runtime_error with the reason, for instance
  // that the path is not a regular file or may not be written.
  explicit FileReplacement(const std::string& path);
  // Without commit(), removes what was written.
  ~FileReplacement();
  FileReplacement(const FileReplacement&) = delete;
  FileReplacement& operator=(const FileReplacement&) = delete;

  void write(const void* data, size_t size);

  // Once, as the last call. The file is on the disk when it returns.
  void commit();

 private:
  void close();

  std::filesystem::path target_;
  std::filesystem::path partial_;
  std::FILE* file_ = nullptr;
};

}  // namespace cria
