#include "core/model/deep_stack.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

#include "core/model/backend.h"
#include "core/model/error.h"
#include "core/model/ggml_hooks.h"
#include "core/model/sanitized.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <process.h>
#include <windows.h>
#else
#include <pthread.h>
#endif

namespace cria {

namespace {

[[noreturn]] void no_thread() {
  throw Error(code::kOutOfMemory, "The system has no memory, or no thread, for a deep stack.");
}

#ifdef _WIN32

using ThreadResult = unsigned;
#define CRIA_THREAD_CALL __stdcall

#else

using ThreadResult = void*;
#define CRIA_THREAD_CALL

#endif

using Body = std::function<void()>;

ThreadResult CRIA_THREAD_CALL run(void* data) {
  const std::unique_ptr<Body> body(static_cast<Body*>(data));
  (*body)();
  return {};
}

#ifdef _WIN32

// Of the stack's size only address space is taken at first. Without the flag the size would be
// what is committed, and of the rest there would be as much as node.exe says.
bool create_thread(size_t stack, Body* body, cria_thread* thread) {
  if (stack > std::numeric_limits<unsigned>::max()) return false;
  const uintptr_t handle = _beginthreadex(nullptr, static_cast<unsigned>(stack), run, body,
                                          STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  *thread = reinterpret_cast<HANDLE>(handle);
  return handle != 0;
}

void detach(cria_thread thread) { CloseHandle(thread); }

#else

bool create_thread(size_t stack, Body* body, cria_thread* thread) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack);
  const int failed = pthread_create(thread, &attributes, run, body);
  pthread_attr_destroy(&attributes);
  return failed == 0;
}

void detach(cria_thread thread) { pthread_detach(thread); }

#endif

// To be joined or detached. Throws ERR_OUT_OF_MEMORY, and `body` is not run then.
cria_thread start_thread(size_t stack, Body body) {
  constexpr size_t kPage = 65536;  // a multiple of every page size in use
  auto own = std::make_unique<Body>(std::move(body));
  cria_thread thread{};
  const size_t size = (stack * kSanitizedFactor + kPage - 1) / kPage * kPage;
  if (!create_thread(size, own.get(), &thread)) no_thread();
  static_cast<void>(own.release());  // the thread's
  return thread;
}

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
    detach(start_thread(stack, [work] { carry_out(work); }));
  } catch (...) {
    give_place_back();
    no_thread();
  }
}

}  // namespace

void with_stack(size_t bytes, const std::function<void()>& work) {
  std::exception_ptr thrown;
  const cria_thread thread = start_thread(bytes, [&] {
    try {
      const backend::AbortGuard guard;
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  cria_join_thread(thread);
  if (thrown) std::rethrow_exception(thrown);
}

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
