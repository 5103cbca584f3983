#include "core/model/linux_processors.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace cria {

namespace {

const char* const kProcessors = "/sys/devices/system/cpu/cpu";
const char* const kGroups = "/sys/fs/cgroup";
// Of the fastest one's capacity; the middle ones of three kinds of cores have more, efficient ones
// about a third to a half.
constexpr double kFast = 0.6;

// "0-3,8,10-11"; what is no number ends it.
std::set<int32_t> listed(const std::string& text) {
  std::set<int32_t> numbers;
  std::istringstream list(text);
  std::string part;
  while (std::getline(list, part, ',')) {
    char* end = nullptr;
    const long first = std::strtol(part.c_str(), &end, 10);
    if (end == part.c_str()) break;
    const long last = *end == '-' ? std::strtol(end + 1, nullptr, 10) : first;
    for (long number = first; number <= std::min(last, first + 65'535); ++number)
      numbers.insert(static_cast<int32_t>(number));
  }
  return numbers;
}

// Whether a list of controllers, "cpu,cpuacct", has the one for processor time.
bool has_time(const std::string& controllers) {
  std::istringstream list(controllers);
  std::string one;
  while (std::getline(list, one, ','))
    if (one == "cpu") return true;
  return false;
}

}  // namespace

std::string LinuxProcessors::first_line(const std::string& path) const {
  std::ifstream file(root_ + path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string LinuxProcessors::of_processor(int32_t processor, const char* name) const {
  return first_line(kProcessors + std::to_string(processor) + "/" + name);
}

// ARM, RISC-V, and Intel's hybrids in newer kernels have capacities; older kernels list Intel's
// efficient cores by themselves.
std::vector<int32_t> LinuxProcessors::without_slow(const std::vector<int32_t>& processors) const {
  std::vector<double> capacities;
  for (const int32_t processor : processors)
    capacities.push_back(std::strtod(of_processor(processor, "cpu_capacity").c_str(), nullptr));
  const double most =
      capacities.empty() ? 0 : *std::max_element(capacities.begin(), capacities.end());
  const std::set<int32_t> efficient = listed(first_line("/sys/devices/cpu_atom/cpus"));
  std::vector<int32_t> fast;
  for (size_t i = 0; i < processors.size(); ++i) {
    const bool slow = most > 0 ? capacities[i] < kFast * most : efficient.count(processors[i]) > 0;
    if (!slow) fast.push_back(processors[i]);
  }
  return fast.empty() ? processors : fast;
}

// A core is identified by the list of its hardware threads.
int32_t LinuxProcessors::cores(const std::vector<int32_t>& allowed) const {
  std::set<std::string> cores;
  for (const int32_t processor : without_slow(allowed)) {
    const std::string siblings = of_processor(processor, "topology/thread_siblings_list");
    if (siblings.empty()) return 0;
    cores.insert(siblings);
  }
  return static_cast<int32_t>(cores.size());
}

// Lines such as "4:cpu,cpuacct:/docker/1f2e" and "0::/user.slice/session.scope".
std::vector<LinuxProcessors::Group> LinuxProcessors::groups() const {
  std::vector<Group> found;
  std::ifstream file(root_ + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && !has_time(controllers)) continue;
    found.push_back({std::move(controllers), line.substr(second + 1)});
  }
  return found;
}

// 0: none.
double LinuxProcessors::quota_of(const std::string& directory) const {
  double time = 0;
  double period = 0;
  std::istringstream both(first_line(directory + "/cpu.max"));
  if (!(both >> time >> period)) {  // "max" is not a number
    time = std::strtod(first_line(directory + "/cpu.cfs_quota_us").c_str(), nullptr);
    period = std::strtod(first_line(directory + "/cpu.cfs_period_us").c_str(), nullptr);
  }
  return time > 0 && period > 0 ? time / period : 0;  // -1: no limit
}

// A container sees its own group as the root; elsewhere the process's group, and all that it is in,
// are folders below it. Of all limits the lowest one holds.
int32_t LinuxProcessors::quota() const {
  std::vector<std::string> directories;
  const std::string root = kGroups;
  for (const std::string& mount : {root, root + "/cpu", root + "/cpu,cpuacct"})
    directories.push_back(mount);
  for (const Group& group : groups()) {
    const std::string mount = group.controllers.empty() ? root : root + "/" + group.controllers;
    for (std::string path = group.path; path.size() > 1; path.resize(path.find_last_of('/'))) {
      directories.push_back(mount + path);
      if (!group.controllers.empty()) directories.push_back(root + "/cpu" + path);
      if (path.find('/') == std::string::npos) break;
    }
  }
  double least = 0;
  for (const std::string& directory : directories) {
    const double quota = quota_of(directory);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
  }
  return least == 0 ? 0 : std::max(static_cast<int32_t>(std::min(least, 65'536.0)), 1);
}

}  // namespace cria
