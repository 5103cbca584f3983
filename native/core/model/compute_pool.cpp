#include "core/model/compute_pool.h"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <sched.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#endif

#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/model/backend.h"
#include "core/model/cpu_level.h"
#include "core/model/crowd.h"
#include "core/model/error.h"
#include "core/model/ggml_hooks.h"

namespace cria {

namespace {

[[noreturn]] void fail_to_start(int32_t threads) {
  throw Error(code::kOutOfMemory, "The system did not start " + std::to_string(threads) +
                                      " threads. Choose fewer (`threads`), or raise the limit on "
                                      "processes.");
}

// A thread that was started for ggml and waits for its work.
struct Recruit {
  explicit Recruit(std::shared_ptr<Collapse> shared) : collapse(std::move(shared)) {}

  const std::shared_ptr<Collapse> collapse;
  std::mutex mutex;
  std::condition_variable changed;
  cria_thread_body body = nullptr;
  void* argument = nullptr;
  bool dismissed = false;
};

void work(Recruit& recruit) noexcept {
  Collapse& collapse = *recruit.collapse;
  const backend::PoolThread membership(&collapse);
  collapse.enter();
  try {
    recruit.body(recruit.argument);
  } catch (const backend::Collapsed&) {
    // Told already, by this thread or another. The rest is not left to current_failure(): there may
    // be no memory for its words.
  } catch (const std::bad_alloc&) {
    collapse.fail(code::kOutOfMemory, "Not enough memory.");
  } catch (const std::exception& error) {
    collapse.fail(code::kInternal, error.what());
  } catch (...) {
    collapse.fail(code::kInternal, "An exception of an unknown kind.");
  }
  collapse.leave();
}

// What a thread's function returns, and nobody reads.
#ifdef _WIN32
using ThreadResult = unsigned long;
#else
using ThreadResult = void*;
#endif

ThreadResult run(void* data) {
  const std::shared_ptr<Recruit> recruit = std::move(
      *std::unique_ptr<std::shared_ptr<Recruit>>(static_cast<std::shared_ptr<Recruit>*>(data)));
  {
    std::unique_lock<std::mutex> lock(recruit->mutex);
    recruit->changed.wait(lock, [&] { return recruit->dismissed || recruit->body != nullptr; });
    if (recruit->dismissed) return {};
  }
  work(*recruit);
  return {};
}

// The threads for the pool that is being created on this thread.
class Recruits {
 public:
  Recruits(int32_t count, const std::shared_ptr<Collapse>& collapse) {
    for (int32_t i = 0; i < count; ++i) {
      try {
        add(collapse);
      } catch (...) {
        dismiss();
        throw;
      }
    }
  }
  ~Recruits() { dismiss(); }
  Recruits(const Recruits&) = delete;
  Recruits& operator=(const Recruits&) = delete;

  // False if none is left.
  bool assign(cria_thread* thread, cria_thread_body body, void* argument) {
    if (started_.empty()) return false;
    const auto [id, recruit] = started_.back();
    started_.pop_back();
    *thread = id;
    const std::lock_guard<std::mutex> lock(recruit->mutex);
    recruit->body = body;
    recruit->argument = argument;
    recruit->changed.notify_one();
    return true;
  }

 private:
  void add(const std::shared_ptr<Collapse>& collapse) {
    auto recruit = std::make_shared<Recruit>(collapse);
    auto own = std::make_unique<std::shared_ptr<Recruit>>(recruit);
    started_.reserve(started_.size() + 1);
    cria_thread thread{};
    if (cria_create_thread(&thread, run, own.get()) != 0) throw std::bad_alloc();
    static_cast<void>(own.release());
    started_.emplace_back(thread, std::move(recruit));
  }

  void dismiss() {
    for (const auto& [thread, recruit] : started_) {
      {
        const std::lock_guard<std::mutex> lock(recruit->mutex);
        recruit->dismissed = true;
      }
      recruit->changed.notify_one();
      cria_join_thread(thread);
    }
    started_.clear();
  }

  std::vector<std::pair<cria_thread, std::shared_ptr<Recruit>>> started_;
};

thread_local Recruits* recruits = nullptr;
thread_local const std::shared_ptr<Collapse>* graph_collapse = nullptr;

// A thread that goes to work at once.
int start_for_graph(cria_thread* thread, cria_thread_body body, void* argument) {
  auto recruit = std::make_shared<Recruit>(*graph_collapse);
  recruit->body = body;
  recruit->argument = argument;
  auto own = std::make_unique<std::shared_ptr<Recruit>>(std::move(recruit));
  const int failed = cria_create_thread(thread, run, own.get());
  if (failed == 0) static_cast<void>(own.release());
  return failed;
}

// ggml wants a thread: for the pool that is being created, or for one of its own that lasts for one
// graph.
int create_thread(cria_thread* thread, cria_thread_body body, void* argument) {
  if (recruits != nullptr && recruits->assign(thread, body, argument)) return 0;
  if (graph_collapse != nullptr) return start_for_graph(thread, body, argument);
  return cria_create_thread(thread, body, argument);
}

constexpr uint32_t kSpins = 256;  // some microseconds, which is longer than most waits

#ifdef _WIN32

uint32_t step_aside() {
  SwitchToThread();
  return kSpins;
}

#else

// For some microseconds. The system wakes who slept before it goes on with who only computes.
void nap() {
#ifdef __linux__
  thread_local const int exact = prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // by default 50 us late
  static_cast<void>(exact);
#endif
  const timespec pause{0, 20'000};
  nanosleep(&pause, nullptr);
}

// The thread that this one waits for may itself wait for a processor: spinning on would keep it
// waiting for a whole time slice. To yield costs nothing where nobody else wants the processor, and
// a slice of some milliseconds where somebody does, at each of a hundred barriers in a token. So a
// thread in a crowd takes naps for a while, which are not counted against it as spinning is.
// Returns how often to spin before the next time.
uint32_t step_aside() {
  constexpr uint32_t kSpinsWhereCrowded = 16;
  thread_local Crowd crowd;
  const Crowd::Clock::time_point before = Crowd::Clock::now();
  if (crowd.is_at(before)) {
    nap();
    return kSpinsWhereCrowded;
  }
  sched_yield();
  crowd.tell(before, Crowd::Clock::now());
  return kSpins;
}

#endif

// What ggml calls as long as it waits.
void relax() {
  thread_local uint32_t spins = kSpins;
  if (--spins == 0) {
    spins = step_aside();
  } else {
    cria_cpu_relax();
  }
  backend::leave_collapsed_pool();
}

}  // namespace

void install_compute_hooks() {
  cria_ggml_hooks.create_thread = create_thread;
  cria_ggml_hooks.relax = relax;
}

ComputePool::ComputePool(int32_t threads, const std::shared_ptr<Collapse>& collapse) {
  ggml_threadpool_params params = ggml_threadpool_params_default(threads);
  // Milliseconds of busy waiting for the next graph: more than the time between two tokens, but not
  // the default of half a second, which would take processors away from the rest of the app.
  params.poll = 1;
  try {
    Recruits waiting(threads - 1, collapse);
    recruits = &waiting;
    const std::shared_ptr<void> reset(nullptr, [](void*) { recruits = nullptr; });
    pool_ = cpu_level().threadpool_new(&params);
  } catch (const std::bad_alloc&) {
    fail_to_start(threads);
  }
  if (pool_ == nullptr) fail_to_start(threads);
}

ComputePool::~ComputePool() {
  if (pool_ != nullptr) cpu_level().threadpool_free(pool_);
}

GraphThreads::GraphThreads(std::shared_ptr<Collapse> collapse) : collapse_(std::move(collapse)) {
  graph_collapse = &collapse_;
}

GraphThreads::~GraphThreads() { graph_collapse = nullptr; }

}  // namespace cria
