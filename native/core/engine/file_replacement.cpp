#include "core/engine/file_replacement.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#ifndef _WIN32
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace cria {

namespace fs = std::filesystem;

namespace {

// More than any system follows.
constexpr int kMostLinks = 40;

[[noreturn]] void fail(const std::string& reason) { throw std::runtime_error(reason); }

[[noreturn]] void fail_with(int error) { fail(std::generic_category().message(error)); }

// The file at the end of the links need not exist.
fs::path behind_links(fs::path path) {
  for (int links = 0;; ++links) {
    std::error_code error;
    if (fs::symlink_status(path, error).type() != fs::file_type::symlink) return path;
    if (links == kMostLinks) fail("its links lead nowhere");
    const fs::path to = fs::read_symlink(path, error);
    if (error) fail(error.message());
    path = to.is_absolute() ? to : path.parent_path() / to;
  }
}

// In the same folder, so that renaming it is atomic.
fs::path partial_name(const fs::path& path) {
  static std::atomic<uint64_t> count{0};
  static const auto base =
      static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  fs::path partial = path;
  partial += ".partial-" + std::to_string(base) + "-" + std::to_string(count.fetch_add(1));
  return partial;
}

#ifdef _WIN32

std::FILE* open_beside(const fs::path& target, const fs::path& partial) {
  std::error_code error;
  const auto mode = fs::status(target, error).permissions();
  if (!error && (mode & fs::perms::owner_write) == fs::perms::none) fail("it is read-only");
  std::FILE* file = _wfopen(partial.c_str(), L"wbx");
  if (file == nullptr) fail_with(errno);
  return file;
}

void sync(std::FILE*) {}
void sync_folder(const fs::path&) {}

#else

std::FILE* open_beside(const fs::path& target, const fs::path& partial) {
  struct stat before {};
  const bool replaces = stat(target.c_str(), &before) == 0;
  // Renaming needs no permission on the file that it replaces, so that is checked here.
  if (replaces && (before.st_mode & 0222) == 0) fail("it is read-only");
  if (replaces && access(target.c_str(), W_OK) != 0) fail_with(errno);
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  const int descriptor = open(partial.c_str(), flags, replaces ? 0600 : 0666);
  if (descriptor < 0) fail_with(errno);
  if (replaces) {
    // Another owner's file keeps its owner where the system allows it. The mode is set afterwards:
    // changing the owner clears some of its bits.
    if (before.st_uid != geteuid() || before.st_gid != getegid()) {
      [[maybe_unused]] const int given = fchown(descriptor, before.st_uid, before.st_gid);
    }
    if (fchmod(descriptor, before.st_mode & 07777) != 0) {
      const int error = errno;
      ::close(descriptor);
      unlink(partial.c_str());
      fail_with(error);
    }
  }
  std::FILE* file = fdopen(descriptor, "wb");
  if (file != nullptr) return file;
  const int error = errno;
  ::close(descriptor);
  unlink(partial.c_str());
  fail_with(error);
}

void sync(std::FILE* file) {
  // Some file systems have no fsync: nothing more can be done there.
  if (fsync(fileno(file)) != 0 && errno != EINVAL && errno != ENOTSUP) fail_with(errno);
}

// Puts the name on the disk, too, as far as the system can.
void sync_folder(const fs::path& target) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  const int descriptor = open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  ::close(descriptor);
}

#endif

}  // namespace

FileReplacement::FileReplacement(const std::string& path)
    : target_(behind_links(fs::u8path(path))), partial_(partial_name(target_)) {
  std::error_code error;
  const fs::file_status status = fs::status(target_, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) fail("it is not a regular file");
  file_ = open_beside(target_, partial_);
}

FileReplacement::~FileReplacement() {
  if (file_ != nullptr) std::fclose(file_);
  std::error_code ignored;
  if (!partial_.empty()) fs::remove(partial_, ignored);
}

void FileReplacement::write(const void* data, size_t size) {
  if (size > 0 && std::fwrite(data, 1, size, file_) != size) fail_with(errno);
}

void FileReplacement::commit() {
  if (std::fflush(file_) != 0) fail_with(errno);
  sync(file_);
  close();
  std::error_code error;
  fs::rename(partial_, target_, error);
  if (error) fail(error.message());
  partial_.clear();
  sync_folder(target_);
}

void FileReplacement::close() {
  std::FILE* file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) fail_with(errno);
}

}  // namespace cria
