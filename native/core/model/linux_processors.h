// What Linux says of its processors, in files: which of them are one core, which are slow ones, and
// how much of their time this process may have. Any system can read a copy of these files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cria {

class LinuxProcessors {
 public:
  // `root`: in front of /sys and /proc; empty for this machine.
  explicit LinuxProcessors(std::string root = {}) : root_(std::move(root)) {}

  // Cores among these processors, each once, however many hardware threads it has; without the
  // slow ones of a hybrid chip unless there are no others: every operation waits for its slowest
  // thread. 0: it is not known.
  int32_t cores(const std::vector<int32_t>& allowed) const;

  // The share of processor time that a container, or a group that it is in, may have (cgroups 1 and
  // 2), in whole processors and at least 1. 0: all of it.
  int32_t quota() const;

 private:
  struct Group {
    std::string controllers;  // of a cgroup of version 1; empty: version 2
    std::string path;
  };

  std::string of_processor(int32_t processor, const char* name) const;
  std::vector<int32_t> without_slow(const std::vector<int32_t>& processors) const;
  std::vector<Group> groups() const;
  double quota_of(const std::string& directory) const;
  std::string first_line(const std::string& path) const;

  const std::string root_;
};

}  // namespace cria
