// What this process has one of: ggml's registry of devices, llama.cpp's log, its abort handler.
// Every environment (main thread, worker threads) starts it; the first one does the work. It is
// never torn down: other environments may still use it, and it holds nothing that outlives its use.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cria::backend {

void start();

struct Device {
  std::string name;
  std::string description;
  const char* type;  // as in lib/native.ts
  uint64_t memory_total;
  uint64_t memory_free;
};

std::vector<Device> devices();

// The instruction sets that the CPU backend was compiled for, as ggml names them.
std::vector<std::string> cpu_features();

// Free bytes of all GPUs together, 0 without one.
uint64_t gpu_memory_free();

// Called on whichever thread logs: it must copy, must not block and must not throw. `level` is as
// in lib/native.ts.
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

// Within its life a failed GGML_ASSERT on this thread is a cria::Error instead of the process's
// death. The last resort: what was being worked on is in an unknown state and is to be given up.
class AbortGuard {
 public:
  AbortGuard();
  ~AbortGuard();
  AbortGuard(const AbortGuard&) = delete;
  AbortGuard& operator=(const AbortGuard&) = delete;

 private:
  bool outer_;
};

}  // namespace cria::backend
