#include "core/model/cpu.h"

#include <algorithm>
#include <thread>
#include <vector>

#ifdef __APPLE__
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>

#include <map>
#elif defined(__linux__)
#include <sched.h>

#include "core/model/linux_processors.h"
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
  // Cores of a hybrid chip by their class: the highest is the fastest, and the others would hold it
  // up. Those that this process may not run on are left out.
  DWORD_PTR allowed = 0;
  DWORD_PTR all = 0;
  const bool limited = GetProcessAffinityMask(GetCurrentProcess(), &allowed, &all) && allowed != 0;
  std::map<BYTE, int32_t> cores;
  for (DWORD offset = 0; offset < length;) {
    const auto* one = reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(&buffer[offset]);
    offset += one->Size;
    const PROCESSOR_RELATIONSHIP& core = one->Processor;
    // The mask is of one group of 64, the first one's where there are several.
    const bool outside =
        limited && core.GroupMask[0].Group == 0 && (core.GroupMask[0].Mask & allowed) == 0;
    // EfficiencyClass, which older headers have as reserved.
    if (!outside) ++cores[reinterpret_cast<const BYTE*>(&core)[1]];
  }
  return cores.empty() ? 0 : cores.rbegin()->second;
}

#elif defined(__linux__)

int32_t count_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::vector<int32_t> processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  return LinuxProcessors().cores(processors);
}

#else

int32_t count_cores() { return 0; }

#endif

}  // namespace

int32_t physical_cores() {
  int32_t cores = count_cores();
  if (cores <= 0) cores = static_cast<int32_t>(std::thread::hardware_concurrency());
#ifdef __linux__
  if (const int32_t most = LinuxProcessors().quota(); most > 0) cores = std::min(cores, most);
#endif
  return std::max(cores, 1);
}

}  // namespace cria
