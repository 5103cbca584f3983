#include "core/model/deep_stack.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"

#ifndef _WIN32
#include <pthread.h>
#endif

namespace cria {

namespace {

[[noreturn]] void no_thread() {
  throw Error(code::kOutOfMemory, "The system has no memory, or no thread, for a deep stack.");
}

#ifndef _WIN32

// Detached where nobody is to join it. Throws ERR_OUT_OF_MEMORY, and `body` is not run then.
pthread_t start_thread(size_t stack, bool detached, std::function<void()> body) {
  constexpr size_t kPage = 65536;  // a multiple of every page size in use
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, (stack * kStackFactor + kPage - 1) / kPage * kPage);
  if (detached) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  auto own = std::make_unique<std::function<void()>>(std::move(body));
  pthread_t thread{};
  const int failed = pthread_create(
      &thread, &attributes,
      [](void* data) -> void* {
        const std::unique_ptr<std::function<void()>> own(static_cast<std::function<void()>*>(data));
        (*own)();
        return nullptr;
      },
      own.get());
  pthread_attr_destroy(&attributes);
  if (failed != 0) no_thread();
  static_cast<void>(own.release());  // the thread's
  return thread;
}

#endif

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

void start(size_t stack, const std::shared_ptr<Work>& work) {
  try {
#ifdef _WIN32
    static_cast<void>(stack);
    std::thread([work] { carry_out(work); }).detach();
#else
    start_thread(stack, /*detached=*/true, [work] { carry_out(work); });
#endif
  } catch (...) {
    give_place_back();
    no_thread();
  }
}

}  // namespace

#ifdef _WIN32

// The standard library of MSVC counts its recursion and throws before it overflows.
void with_stack(size_t /*bytes*/, const std::function<void()>& work) { work(); }

#else

void with_stack(size_t bytes, const std::function<void()>& work) {
  std::exception_ptr thrown;
  const pthread_t thread = start_thread(bytes, /*detached=*/false, [&] {
    try {
      const backend::AbortGuard guard;
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  pthread_join(thread, nullptr);
  if (thrown) std::rethrow_exception(thrown);
}

#endif

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
