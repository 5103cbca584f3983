#include "core/model/cpu.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#ifdef __APPLE__
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>

#include <vector>
#elif defined(__linux__)
#include <sched.h>
#endif

namespace cria {

namespace {

#ifdef __APPLE__

int32_t count_cores() {
  int32_t cores = 0;
  size_t size = sizeof cores;
  // Without the efficiency cores: every operation waits for its slowest thread.
  if (sysctlbyname("hw.perflevel0.physicalcpu", &cores, &size, nullptr, 0) == 0) return cores;
  if (sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0) return cores;
  return 0;
}

#elif defined(_WIN32)

int32_t count_cores() {
  DWORD length = 0;
  GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &length);
  std::vector<char> buffer(length);
  auto* first = reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(buffer.data());
  if (!GetLogicalProcessorInformationEx(RelationProcessorCore, first, &length)) return 0;
  int32_t cores = 0;
  for (DWORD offset = 0; offset < length; ++cores) {
    offset += reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(&buffer[offset])->Size;
  }
  return cores;
}

#elif defined(__linux__)

// A core is identified by the list of its hardware threads.
int32_t count_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) return 0;
    cores.insert(siblings);
  }
  return static_cast<int32_t>(cores.size());
}

#else

int32_t count_cores() { return 0; }

#endif

#ifdef __linux__

// A container's share of processor time (cgroup 2), in whole processors; 0: unlimited.
int32_t quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  int64_t time = 0;
  int64_t period = 0;
  if (!(file >> time >> period) || period <= 0) return 0;  // "max" is not a number
  return static_cast<int32_t>(std::max<int64_t>(1, time / period));
}

#else

int32_t quota() { return 0; }

#endif

}  // namespace

int32_t physical_cores() {
  int32_t cores = count_cores();
  if (cores <= 0) cores = static_cast<int32_t>(std::thread::hardware_concurrency());
  if (const int32_t most = quota(); most > 0) cores = std::min(cores, most);
  return std::max(cores, 1);
}

}  // namespace cria
