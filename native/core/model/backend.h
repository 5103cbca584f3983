// What this process has one of: ggml's registry of devices, llama.cpp's log, its abort handler.
// Every environment (main thread, worker threads) starts it; the first one does the work. It is
// never torn down: other environments may still use it, and it holds nothing that outlives its use.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model/collapse.h"
#include "core/model/error.h"

namespace cria::backend {

void start();

struct Device {
  std::string name;
  std::string description;
  const char* type;  // as in lib/internal/native.ts
  uint64_t memory_total;
  uint64_t memory_free;
};

std::vector<Device> devices();

// The instruction sets that the CPU backend was compiled for, as ggml names them.
std::vector<std::string> cpu_features();

// Free bytes of all GPUs together, 0 without one.
uint64_t gpu_memory_free();

// Called on whichever thread logs: it must copy, must not block and must not throw. `level` is as
// in lib/internal/native.ts.
using LogListener = std::function<void(const char* level, const std::string& message)>;

int add_log_listener(LogListener listener);
void remove_log_listener(int id);

// Collects what is logged as an error on this thread, while it lives: llama.cpp's functions return
// null and log the reason.
class ErrorCapture {
 public:
  ErrorCapture();
  ~ErrorCapture();
  ErrorCapture(const ErrorCapture&) = delete;
  ErrorCapture& operator=(const ErrorCapture&) = delete;

  // The first message, which has the cause, without its function's name; `otherwise` where there
  // was none.
  std::string reason(const std::string& otherwise) const;

 private:
  friend void capture_error(const std::string& message);
  std::string first_;
  ErrorCapture* outer_;
};

// A failed GGML_ASSERT, with its text, or what else ended the work of a pool's thread. What was
// being worked on is in an unknown state and is to be given up.
class AssertionError : public Error {
 public:
  using Error::Error;
};

// Within its life a failed GGML_ASSERT on this thread is an AssertionError instead of the process's
// death; the innermost guard counts. The last resort: what can be checked before is checked before.
class AbortGuard {
 public:
  // With `collapse`, for a thread that computes along with pools: an assertion on any thread of
  // theirs is this thread's AssertionError, too, and all of them have left by then.
  explicit AbortGuard(Collapse* collapse = nullptr);
  ~AbortGuard();
  AbortGuard(const AbortGuard&) = delete;
  AbortGuard& operator=(const AbortGuard&) = delete;

  Collapse* collapse() const { return collapse_; }

 private:
  Collapse* const collapse_;
  AbortGuard* const outer_;
};

// Within its life this thread computes in a pool: a failed assertion there is told to `collapse`.
class PoolThread {
 public:
  explicit PoolThread(Collapse* collapse);
  ~PoolThread();
  PoolThread(const PoolThread&) = delete;
  PoolThread& operator=(const PoolThread&) = delete;
};

// Thrown through a pool thread's frames, to its end.
struct Collapsed {};

// Called by a thread that waits for others of its pool: throws where it would wait in vain.
void leave_collapsed_pool();

}  // namespace cria::backend
