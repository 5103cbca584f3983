// Files of sequences: whole, damaged in every way, and not there. What llama.cpp makes of the state
// in them is the matter of sequences-test.cpp.

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <random>

#include "core/engine/state_file.h"

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#endif

#include "core/model/error.h"
#include "harness.h"
#include "temporary_file.h"

namespace fs = std::filesystem;
using cria::StateFile;

namespace {

// A folder that goes with all that is in it.
class Folder {
 public:
  Folder() : path_(fs::u8path(demo::TemporaryFile().path())) { fs::create_directory(path_); }
  ~Folder() {
    std::error_code ignored;
    fs::permissions(path_, fs::perms::owner_all, ignored);
    fs::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / fs::u8path(name)).u8string(); }
  size_t count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), {}));
  }
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

#ifndef _WIN32
// No file of this process grows beyond it, while this lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, SIG_DFL);
  }

 private:
  rlimit before_{};
};
#endif

constexpr uint64_t kFingerprint = 0x0123456789abcdef;

StateFile small_file() {
  StateFile file{kFingerprint, {5, 6, 7, 1690}, {}};
  for (int i = 0; i < 37; ++i)  // no whole number of words
    file.state.push_back(static_cast<uint8_t>(i * 7));
  return file;
}

bool same(const StateFile& a, const StateFile& b) {
  return a.fingerprint == b.fingerprint && a.tokens == b.tokens && a.state == b.state;
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(fs::u8path(path), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(fs::u8path(path), std::ios::binary | std::ios::trunc) << bytes;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const cria::Error& error) {
    return error.code();
  }
  return "none";
}

std::string reading(const std::string& path, uint64_t fingerprint = kFingerprint) {
  return refusal([&] { cria::read_state_file(path, fingerprint); });
}

std::string writing(const std::string& path) {
  return refusal([&] { cria::write_state_file(path, small_file()); });
}

}  // namespace

TEST(what_is_written_is_read) {
  const Folder folder;
  const std::string path = folder.file("séquence 🦙");
  for (const StateFile& file : {small_file(), StateFile{kFingerprint, {}, {}},
                                StateFile{kFingerprint, {1}, std::vector<uint8_t>(100'000, 9)}}) {
    cria::write_state_file(path, file);
    CHECK(same(cria::read_state_file(path, kFingerprint), file));
    CHECK_EQ(folder.count(), size_t{1});  // nothing is left beside it
  }
}

TEST(a_file_of_too_many_tokens_is_refused_before_it_is_read) {
  const Folder folder;
  const std::string path = folder.file("state");
  cria::write_state_file(path, small_file());
  std::string bytes = bytes_of(path);
  bytes.back() = static_cast<char>(~bytes.back());  // which whoever reads it finds out
  write_bytes(path, bytes);
  CHECK_EQ(reading(path), "ERR_STATE_INVALID");
  CHECK_EQ(refusal([&] {
             cria::read_state_file(path, kFingerprint, {3, {}});
           }),
           "ERR_CONTEXT_FULL");
  CHECK_EQ(refusal([&] {
             cria::read_state_file(path, kFingerprint, {4, {}});
           }),
           "ERR_STATE_INVALID");
}

TEST(reading_a_large_file_can_be_stopped) {
  const Folder folder;
  const std::string path = folder.file("state");
  const StateFile large{kFingerprint, {1}, std::vector<uint8_t>((size_t{40} << 20) + 5, 9)};
  cria::write_state_file(path, large);
  int asked = 0;
  const auto until = [&](int most) {
    asked = 0;
    return cria::read_state_file(path, kFingerprint,
                                 {1, [&asked, most] { return ++asked < most; }});
  };
  CHECK(same(until(100), large));
  CHECK_EQ(asked, 3);
  CHECK(until(2).tokens.empty());
  CHECK_EQ(asked, 2);
}

TEST(cut_off_anywhere_or_longer) {
  const Folder folder;
  const std::string path = folder.file("state");
  cria::write_state_file(path, small_file());
  const std::string whole = bytes_of(path);
  for (size_t length = 0; length < whole.size(); ++length) {
    write_bytes(path, whole.substr(0, length));
    CHECK_EQ(reading(path), "ERR_STATE_INVALID");
  }
  write_bytes(path, whole + '\0');
  CHECK_EQ(reading(path), "ERR_STATE_INVALID");
  write_bytes(path, whole + whole);
  CHECK_EQ(reading(path), "ERR_STATE_INVALID");
  write_bytes(path, whole);
  CHECK(same(cria::read_state_file(path, kFingerprint), small_file()));
}

TEST(any_byte_changed) {
  const Folder folder;
  const std::string path = folder.file("state");
  cria::write_state_file(path, small_file());
  const std::string whole = bytes_of(path);
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xFF}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      write_bytes(path, damaged);
      CHECK_EQ(reading(path), "ERR_STATE_INVALID");
    }
  }
}

// Sizes in the header that no memory could hold are not taken at their word.
TEST(any_bytes) {
  const Folder folder;
  const std::string path = folder.file("state");
  cria::write_state_file(path, small_file());
  const std::string whole = bytes_of(path);
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = whole;
    const size_t keep = random() % 2 == 0 ? 12 : 24;  // the magic and version, the fingerprint too
    for (size_t i = keep; i < std::min<size_t>(keep + 28, damaged.size()); ++i) {
      if (random() % 2 == 0) damaged[i] = static_cast<char>(random());
    }
    if (damaged == whole) continue;
    write_bytes(path, damaged);
    CHECK_EQ(reading(path), "ERR_STATE_INVALID");
  }
}

// With a checksum that is right: llama.cpp would make room for two billion cells before it reads
// one.
TEST(a_state_with_more_cells_than_tokens) {
  const Folder folder;
  const std::string path = folder.file("state");
  const auto reading_with = [&](std::vector<uint32_t> words) {
    StateFile file{kFingerprint, {1, 2}, {}};
    file.state.resize(words.size() * sizeof(uint32_t));
    std::memcpy(file.state.data(), words.data(), file.state.size());
    cria::write_state_file(path, file);
    return reading(path);
  };
  constexpr uint32_t kMany = 0x80000002;
  CHECK_EQ(reading_with({0, 0, 1, 2}), "none");
  CHECK_EQ(reading_with({0, 0, 1, 3}), "ERR_STATE_INVALID");
  CHECK_EQ(reading_with({0, 0, 1, kMany}), "ERR_STATE_INVALID");
  CHECK_EQ(reading_with({0, 0, 3, 0, 0, kMany}), "ERR_STATE_INVALID");
  // One cell in one layer with rows of 4 bytes, then the cache of layers that look back less far.
  const std::vector<uint32_t> cache = {0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 4, 0, 7, 0, 4, 0, 7, 1};
  const auto followed_by = [&](uint32_t cells) {
    std::vector<uint32_t> words = cache;
    words.push_back(cells);
    return words;
  };
  CHECK_EQ(reading_with(followed_by(2)), "none");
  CHECK_EQ(reading_with(followed_by(kMany)), "ERR_STATE_INVALID");
  // Caches of other kinds are llama.cpp's matter.
  CHECK_EQ(reading_with({0, 0, 1, 1, 5, 6, 7, 8, 9, kMany, kMany}), "none");
}

TEST(another_fingerprint) {
  const Folder folder;
  const std::string path = folder.file("state");
  cria::write_state_file(path, small_file());
  CHECK_EQ(reading(path, kFingerprint + 1), "ERR_STATE_INVALID");
  CHECK_EQ(reading(path), "none");
}

TEST(no_file_to_read) {
  const Folder folder;
  CHECK_EQ(reading(folder.file("none")), "ERR_STATE_INVALID");
  CHECK_EQ(reading(folder.path().u8string()), "ERR_STATE_INVALID");
  CHECK_EQ(reading(folder.file("none/at all")), "ERR_STATE_INVALID");
  CHECK_EQ(reading(""), "ERR_STATE_INVALID");
  CHECK_EQ(reading(folder.file(std::string(5000, 'x'))), "ERR_STATE_INVALID");
}

#ifndef _WIN32
// A pipe that nobody writes to would hold the thread that reads, and the context's end, for ever.
TEST(no_pipe_is_waited_for) {
  const Folder folder;
  const std::string path = folder.file("pipe");
  CHECK_EQ(mkfifo(path.c_str(), 0600), 0);
  auto answer = std::async(std::launch::async, [&] { return reading(path); });
  const bool came = answer.wait_for(std::chrono::seconds(5)) == std::future_status::ready;
  if (!came) std::ofstream(path).put('x');  // or the test would hang as well
  CHECK(came);
  CHECK_EQ(answer.get(), "ERR_STATE_INVALID");
}
#endif

TEST(nowhere_to_write) {
  const Folder folder;
  CHECK_EQ(writing(folder.file("none/state")), "ERR_STATE_INVALID");
  CHECK_EQ(writing(folder.path().u8string()), "ERR_STATE_INVALID");
  CHECK_EQ(writing(folder.file(std::string(5000, 'x'))), "ERR_STATE_INVALID");
  CHECK_EQ(folder.count(), size_t{0});
  fs::create_directory(fs::u8path(folder.file("state")));
  CHECK_EQ(writing(folder.file("state")), "ERR_STATE_INVALID");
  CHECK_EQ(folder.count(), size_t{1});
}

TEST(the_old_file_stays_where_the_new_one_cannot_be_written) {
  const Folder folder;
  const std::string path = folder.file("state");
  const StateFile old{kFingerprint, {1, 2, 3}, {4, 5, 6}};
  cria::write_state_file(path, old);
  // The name of what is written first is longer than the last one allowed.
  const std::string longest = folder.file(std::string(250, 'x'));
  write_bytes(longest, bytes_of(path));
  CHECK_EQ(writing(longest), "ERR_STATE_INVALID");
  CHECK(same(cria::read_state_file(longest, kFingerprint), old));
#ifndef _WIN32
  // As on a disk that is full: the file ends in the middle of its state.
  const FileSizeLimit limit(70);
  CHECK_EQ(writing(path), "ERR_STATE_INVALID");
  CHECK_EQ(folder.count(), size_t{2});
#endif
  CHECK(same(cria::read_state_file(path, kFingerprint), old));
}

#ifndef _WIN32
namespace {

mode_t mode_of(const std::string& path) {
  struct stat found {};
  stat(path.c_str(), &found);
  return found.st_mode & 07777;
}

}  // namespace

TEST(what_is_replaced_keeps_its_mode) {
  const Folder folder;
  const std::string path = folder.file("state");
  const mode_t before = umask(022);
  CHECK_EQ(writing(path), "none");
  CHECK_EQ(mode_of(path), mode_t{0644});
  for (const mode_t mode : {0600, 0640, 0666, 0200}) {
    chmod(path.c_str(), mode);
    CHECK_EQ(writing(path), "none");
    CHECK_EQ(mode_of(path), mode);
  }
  chmod(path.c_str(), 0400);
  CHECK_EQ(writing(path), "ERR_STATE_INVALID");  // for root, too
  CHECK_EQ(mode_of(path), mode_t{0400});
  CHECK_EQ(folder.count(), size_t{1});
  umask(before);
}

TEST(links_are_followed) {
  const Folder folder;
  fs::create_directory(folder.file("there"));
  fs::create_symlink("there/state", folder.file("link"));
  fs::create_symlink("link", folder.file("link to it"));
  fs::create_symlink(folder.file("circle"), folder.file("circle"));
  for (int round = 0; round < 2; ++round) {  // at first it leads to nothing
    CHECK_EQ(writing(folder.file("link to it")), "none");
    CHECK(fs::is_symlink(folder.file("link to it")));
    CHECK(fs::is_symlink(folder.file("link")));
    CHECK(!fs::is_symlink(folder.file("there/state")));
    CHECK(same(cria::read_state_file(folder.file("there/state"), kFingerprint), small_file()));
  }
  CHECK_EQ(writing(folder.file("circle")), "ERR_STATE_INVALID");
  CHECK_EQ(folder.count(), size_t{4});
}

TEST(what_is_no_file_is_not_replaced) {
  const Folder folder;
  const std::string pipe = folder.file("pipe");
  CHECK_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink(pipe, folder.file("link to the pipe"));
  fs::create_symlink("/dev/null", folder.file("link to a device"));
  for (const std::string& path :
       {pipe, folder.file("link to the pipe"), folder.file("link to a device"),
        std::string("/dev/null"), folder.path().u8string()}) {
    CHECK_EQ(writing(path), "ERR_STATE_INVALID");
  }
  CHECK(fs::is_fifo(pipe));
  CHECK(fs::is_character_file("/dev/null"));
  CHECK_EQ(folder.count(), size_t{3});
}
#endif

int main(int argc, char** argv) { return harness::run(argc, argv); }
