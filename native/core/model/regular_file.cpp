#include "core/model/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "core/model/error.h"

namespace cria {

namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Error(code::kModelInvalid, "\"" + path + "\" could not be loaded: " + reason + ".");
}

std::string reason_of(int error) { return std::generic_category().message(error); }

#ifdef _WIN32

int open_to_read(const std::string& path) {
  return _wopen(std::filesystem::u8path(path).c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
}

bool is_regular(int descriptor, uint64_t& size) {
  struct _stat64 found {};
  if (_fstat64(descriptor, &found) != 0) return false;
  size = static_cast<uint64_t>(found.st_size);
  return (found.st_mode & _S_IFREG) != 0;
}

int64_t read_at(int descriptor, uint64_t offset, void* to, size_t count) {
  if (_lseeki64(descriptor, static_cast<int64_t>(offset), SEEK_SET) < 0) return -1;
  return _read(descriptor, to, static_cast<unsigned>(count));
}

void close_descriptor(int descriptor) { _close(descriptor); }

#else

// Without O_NONBLOCK opening a FIFO waits for its writer. Regular files ignore it.
int open_to_read(const std::string& path) {
  int descriptor = -1;
  do {
    descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

bool is_regular(int descriptor, uint64_t& size) {
  struct stat found {};
  if (fstat(descriptor, &found) != 0) return false;
  size = static_cast<uint64_t>(found.st_size);
  return S_ISREG(found.st_mode);
}

int64_t read_at(int descriptor, uint64_t offset, void* to, size_t count) {
  return pread(descriptor, to, count, static_cast<off_t>(offset));
}

void close_descriptor(int descriptor) { close(descriptor); }

#endif

}  // namespace

RegularFile::RegularFile(const std::string& path) : path_(path), descriptor_(open_to_read(path)) {
  if (descriptor_ < 0) refuse(path, "it cannot be opened (" + reason_of(errno) + ")");
  if (is_regular(descriptor_, size_)) return;
  close_descriptor(descriptor_);
  refuse(path, "it is not a regular file");
}

RegularFile::~RegularFile() { close_descriptor(descriptor_); }

void RegularFile::read(uint64_t offset, void* to, size_t count) const {
  constexpr size_t kAtOnce = size_t{1} << 24;
  auto* next = static_cast<char*>(to);
  while (count > 0) {
    const int64_t got = read_at(descriptor_, offset, next, std::min(count, kAtOnce));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path_, "it cannot be read (" + reason_of(errno) + ")");
    if (got == 0) refuse(path_, "it became shorter while it was read");
    next += got;
    offset += static_cast<uint64_t>(got);
    count -= static_cast<size_t>(got);
  }
}

}  // namespace cria
