#include "core/model/deep_stack.h"

#include <algorithm>
#include <array>
#include <exception>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/utf8.h"

#ifndef _WIN32
#include <pthread.h>
#include <sys/mman.h>
#endif

namespace cria {

namespace {

enum Kind : unsigned char { kLetter, kDigit, kSign, kBeyond, kSpace };

// Unicode's white space beyond ASCII, in UTF-8.
bool begins_wide_space(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kSpaces = {
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\xA8",
      "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  const std::string_view three = text.substr(0, 3);
  if (three >= "\xE2\x80\x80" && three <= "\xE2\x80\x8A") return true;
  return std::any_of(kSpaces.begin(), kSpaces.end(),
                     [&](std::string_view space) { return text.substr(0, space.size()) == space; });
}

Kind kind_at(std::string_view text) {
  const char c = text[0];
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return kLetter;
  if (c >= '0' && c <= '9') return kDigit;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return kSpace;
  if (static_cast<unsigned char>(c) < 0x80) return kSign;
  return begins_wide_space(text) ? kSpace : kBeyond;
}

struct Call {
  const std::function<void()>& work;
  std::exception_ptr thrown = nullptr;
};

void run(Call& call) {
  try {
    const backend::AbortGuard guard;
    call.work();
  } catch (...) {
    call.thrown = std::current_exception();
  }
}

}  // namespace

size_t longest_run(std::string_view text) {
  size_t longest = 0;
  size_t run = 0;
  size_t beyond = 0;  // bytes of kBeyond at the end of the run: they may begin the next one, too
  Kind current = kSpace;
  for (size_t i = 0; i < text.size();) {
    const Kind kind = kind_at(text.substr(i));
    const size_t begin = i;
    i += utf8::character_length(text, i);
    const bool joins = kind == current || (current == kBeyond && kind != kSpace) ||
                       (kind == kBeyond && current != kSpace);
    if (!joins) run = kind == kSpace || kind == kBeyond ? 0 : beyond;
    beyond = kind == kBeyond ? beyond + (i - begin) : 0;
    if (kind != kBeyond || !joins) current = kind;
    run += i - begin;
    longest = std::max(longest, run);
  }
  return longest;
}

#ifdef _WIN32

// The standard library of MSVC counts its recursion and throws before it overflows.
void with_stack(size_t /*bytes*/, const std::function<void()>& work) { work(); }

#else

void with_stack(size_t bytes, const std::function<void()>& work) {
  constexpr size_t kPage = 65536;  // a multiple of every page size in use
  bytes = (bytes * kStackFactor + kPage - 1) / kPage * kPage + kPage;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;  // most of it is never touched
#endif
  void* stack = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  const auto fail = [] {
    throw Error(code::kOutOfMemory, "The system has no memory, or no thread, for a deep stack.");
  };
  if (stack == MAP_FAILED) fail();
  // Stacks grow downwards: what goes beyond the end faults, instead of writing over its neighbour.
  if (mprotect(stack, kPage, PROT_NONE) != 0) {
    munmap(stack, bytes);
    fail();
  }

  Call call{work};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, static_cast<char*>(stack) + kPage, bytes - kPage);
  pthread_t thread{};
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* data) -> void* {
        run(*static_cast<Call*>(data));
        return nullptr;
      },
      &call);
  pthread_attr_destroy(&attributes);
  if (failed == 0) pthread_join(thread, nullptr);
  munmap(stack, bytes);
  if (failed != 0) fail();
  if (call.thrown) std::rethrow_exception(call.thrown);
}

#endif

}  // namespace cria
