// Cores and quotas, read from folders as Linux has them.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/model/linux_processors.h"
#include "harness.h"
#include "temporary_file.h"

using cria::LinuxProcessors;

namespace {

// A folder with files, as deep as their names say.
class Tree {
 public:
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(name_.path(), ignored);
  }

  Tree& with(const std::string& path, const std::string& line) {
    const std::filesystem::path file = std::filesystem::u8path(name_.path() + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << line << '\n';
    return *this;
  }
  Tree& with_processor(int number, const std::string& siblings, const std::string& capacity = {}) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(number);
    with(folder + "/topology/thread_siblings_list", siblings);
    return capacity.empty() ? *this : with(folder + "/cpu_capacity", capacity);
  }

  LinuxProcessors processors() const { return LinuxProcessors(name_.path()); }

 private:
  const demo::TemporaryFile name_;
};

}  // namespace

TEST(threads_of_one_core_count_once) {
  Tree tree;
  tree.with_processor(0, "0,2").with_processor(1, "1,3");
  tree.with_processor(2, "0,2").with_processor(3, "1,3");
  CHECK_EQ(tree.processors().cores({0, 1, 2, 3}), 2);
  // Where only some may be used.
  CHECK_EQ(tree.processors().cores({0, 2}), 1);
  CHECK_EQ(tree.processors().cores({3}), 1);
  CHECK_EQ(tree.processors().quota(), 0);
}

TEST(what_is_not_told_is_not_known) {
  CHECK_EQ(Tree().processors().cores({0, 1}), 0);
  CHECK_EQ(Tree().processors().cores({}), 0);
  CHECK_EQ(Tree().processors().quota(), 0);
}

TEST(slow_cores_are_left_out) {
  // Four little, three middle and one big one.
  Tree arm;
  for (int i = 0; i < 8; ++i)
    arm.with_processor(i, std::to_string(i), i < 4 ? "325" : i < 7 ? "830" : "1024");
  CHECK_EQ(arm.processors().cores({0, 1, 2, 3, 4, 5, 6, 7}), 4);
  CHECK_EQ(arm.processors().cores({0, 1, 2, 3}), 4);
  CHECK_EQ(arm.processors().cores({0, 1, 4}), 1);

  // Two fast cores of two threads each, and four efficient ones, of an older kernel.
  Tree intel;
  for (int i = 0; i < 4; ++i)
    intel.with_processor(i, i < 2 ? "0-1" : "2-3");
  for (int i = 4; i < 8; ++i)
    intel.with_processor(i, std::to_string(i));
  intel.with("/sys/devices/cpu_core/cpus", "0-3").with("/sys/devices/cpu_atom/cpus", "4-7");
  CHECK_EQ(intel.processors().cores({0, 1, 2, 3, 4, 5, 6, 7}), 2);
  CHECK_EQ(intel.processors().cores({4, 5, 6}), 3);
}

TEST(a_quota_of_a_container) {
  CHECK_EQ(Tree().with("/sys/fs/cgroup/cpu.max", "max 100000").processors().quota(), 0);
  CHECK_EQ(Tree().with("/sys/fs/cgroup/cpu.max", "250000 100000").processors().quota(), 2);
  CHECK_EQ(Tree().with("/sys/fs/cgroup/cpu.max", "50000 100000").processors().quota(), 1);
  CHECK_EQ(Tree().with("/sys/fs/cgroup/cpu.max", "nonsense").processors().quota(), 0);
  CHECK_EQ(Tree().with("/sys/fs/cgroup/cpu.max", "100000 0").processors().quota(), 0);
}

TEST(a_quota_of_version_1) {
  Tree tree;
  tree.with("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000");
  tree.with("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  CHECK_EQ(tree.processors().quota(), 3);
  tree.with("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  CHECK_EQ(tree.processors().quota(), 0);
  tree.with("/proc/self/cgroup", "4:cpu,cpuacct:/docker/1f2e");
  tree.with("/sys/fs/cgroup/cpu,cpuacct/docker/1f2e/cpu.cfs_quota_us", "200000");
  tree.with("/sys/fs/cgroup/cpu,cpuacct/docker/1f2e/cpu.cfs_period_us", "100000");
  CHECK_EQ(tree.processors().quota(), 2);
}

TEST(the_lowest_quota_of_all_groups_holds) {
  Tree tree;
  tree.with("/proc/self/cgroup", "0::/system.slice/app.service/worker");
  tree.with("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000");
  tree.with("/sys/fs/cgroup/system.slice/app.service/cpu.max", "200000 100000");
  tree.with("/sys/fs/cgroup/system.slice/app.service/worker/cpu.max", "max 100000");
  CHECK_EQ(tree.processors().quota(), 2);
  tree.with("/proc/self/cgroup", "0::/../outside");
  CHECK_EQ(tree.processors().quota(), 0);
  tree.with("/proc/self/cgroup", "no colons");
  CHECK_EQ(tree.processors().quota(), 0);
}

int main(int argc, char** argv) { return harness::run(argc, argv); }
