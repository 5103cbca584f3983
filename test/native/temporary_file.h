#pragma once

#include <filesystem>
#include <random>
#include <string>
#include <system_error>

namespace demo {

// A name in the folder for such files. What is written there goes with its owner.
class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() /
              ("cria-test-" + std::to_string(std::random_device{}()))) {}
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.u8string(); }

 private:
  const std::filesystem::path path_;
};

}  // namespace demo
