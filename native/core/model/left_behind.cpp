#include "core/model/left_behind.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"

#ifndef _WIN32
#include <pthread.h>
#endif

namespace cria {

namespace {

constexpr int kMostAtATime = 4;
constexpr std::chrono::milliseconds kBetweenQuestions{10};

// All of the process.
struct Places {
  std::mutex mutex;
  std::condition_variable changed;
  int taken = 0;
};

// Leaked: work may go on while the process exits.
Places& places() {
  static Places* all = new Places();
  return *all;
}

void give_place_back() {
  Places& all = places();
  std::lock_guard<std::mutex> lock(all.mutex);
  --all.taken;
  all.changed.notify_all();
}

struct Work {
  std::function<void()> run;
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::exception_ptr thrown = nullptr;
};

void carry_out(const std::shared_ptr<Work>& work) {
  try {
    const backend::AbortGuard guard;
    work->run();
  } catch (...) {
    work->thrown = std::current_exception();
  }
  work->run = nullptr;  // what it owns goes with it
  {
    std::lock_guard<std::mutex> lock(work->mutex);
    work->done = true;
  }
  work->changed.notify_one();
  give_place_back();
}

bool take_place(const std::function<bool()>& goes_on) {
  Places& all = places();
  std::unique_lock<std::mutex> lock(all.mutex);
  while (all.taken >= kMostAtATime) {
    all.changed.wait_for(lock, kBetweenQuestions);
    if (!goes_on()) return false;
  }
  ++all.taken;
  return true;
}

[[noreturn]] void no_thread() {
  throw Error(code::kOutOfMemory, "Not enough memory to tokenize a text with a run this long.");
}

#ifdef _WIN32

void start(size_t /*stack*/, const std::shared_ptr<Work>& work) {
  try {
    std::thread([work] { carry_out(work); }).detach();
  } catch (const std::system_error&) {
    give_place_back();
    no_thread();
  }
}

#else

void start(size_t stack, const std::shared_ptr<Work>& work) {
  constexpr size_t kPage = 65536;  // a multiple of every page size in use
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, (stack + kPage - 1) / kPage * kPage);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  auto own = std::make_unique<std::shared_ptr<Work>>(work);
  pthread_t thread{};
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* data) -> void* {
        const std::unique_ptr<std::shared_ptr<Work>> own(static_cast<std::shared_ptr<Work>*>(data));
        carry_out(*own);
        return nullptr;
      },
      own.get());
  pthread_attr_destroy(&attributes);
  if (failed != 0) {
    give_place_back();
    no_thread();
  }
  static_cast<void>(own.release());  // the thread's
}

#endif

}  // namespace

bool run_or_leave_behind(size_t stack, std::function<void()> work,
                         const std::function<bool()>& goes_on) {
  if (!take_place(goes_on)) return false;
  const auto shared = std::make_shared<Work>();
  shared->run = std::move(work);
  start(stack, shared);
  std::unique_lock<std::mutex> lock(shared->mutex);
  while (!shared->changed.wait_for(lock, kBetweenQuestions, [&] { return shared->done; })) {
    if (!goes_on()) return false;
  }
  if (shared->thrown) std::rethrow_exception(shared->thrown);
  return true;
}

}  // namespace cria
