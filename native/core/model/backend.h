// What exists once in the process: ggml's registry of devices, llama.cpp's log, ggml's abort
// handler. Every environment (main thread, worker threads) calls start(); the first call does the
// work. It is never torn down, since other environments may still use it.
#pragma once

#include <ggml-backend.h>

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

// As listDevices() calls it.
const char* type_name(ggml_backend_dev_t device);

std::vector<Device> devices();

// Makes every device ready, once in the process; the caller's thread may wait for another's that is
// at it. Before a model is loaded: ggml's Vulkan backend publishes a device to other threads before
// it has made it. Throws, each time, if one could not be made: what ggml has of it is unusable.
void open_devices();
// Whether that is done, or there is none but the CPU. Never waits.
bool devices_are_open();

// The instruction sets that the CPU backend was compiled for, as ggml names them.
std::vector<std::string> cpu_features();

// Called on whichever thread logs: it must copy the message, and must not block or throw. `level`
// is as in lib/internal/native.ts.
using LogListener = std::function<void(const char* level, const std::string& message)>;

int add_log_listener(LogListener listener);
void remove_log_listener(int id);

// Collects the errors that are logged on this thread while it lives: llama.cpp's functions return
// null and log the reason.
class ErrorCapture {
 public:
  ErrorCapture();
  ~ErrorCapture();
  ErrorCapture(const ErrorCapture&) = delete;
  ErrorCapture& operator=(const ErrorCapture&) = delete;

  // The first message, which has the cause, without its function's name; `otherwise` if there was
  // none.
  std::string reason(const std::string& otherwise) const;

  // ERR_OUT_OF_MEMORY or ERR_DEVICE_LOST if any message says so, else `otherwise`.
  const char* code(const char* otherwise) const;

 private:
  friend void capture_error(const std::string& message);
  std::string first_;
  const char* code_ = nullptr;
  ErrorCapture* outer_;
};

// While it lives, what is logged on this thread is told to no listener, only to an ErrorCapture.
class Silence {
 public:
  Silence();
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  const bool outer_;
};

// A failed GGML_ASSERT, with its text, or whatever else ended the work of a pool's thread. The
// object that was being worked on is in an unknown state and has to be given up.
class AssertionError : public Error {
 public:
  using Error::Error;
};

// While it lives, a failed GGML_ASSERT on this thread throws an AssertionError instead of ending
// the process; the innermost guard counts. A last resort: whatever can be checked beforehand is.
class AbortGuard {
 public:
  // `collapse`: for a thread that computes along with pools. A failed assertion on any of their
  // threads is then thrown on this one, after all of them have left.
  explicit AbortGuard(Collapse* collapse = nullptr);
  ~AbortGuard();
  AbortGuard(const AbortGuard&) = delete;
  AbortGuard& operator=(const AbortGuard&) = delete;

  Collapse* collapse() const { return collapse_; }

 private:
  Collapse* const collapse_;
  AbortGuard* const outer_;
};

// While it lives, this thread computes in a pool: a failed assertion goes to `collapse`.
class PoolThread {
 public:
  explicit PoolThread(Collapse* collapse);
  ~PoolThread();
  PoolThread(const PoolThread&) = delete;
  PoolThread& operator=(const PoolThread&) = delete;
};

// Thrown through a pool thread's frames to end the thread.
struct Collapsed {};

// Called by a thread that waits for others of its pool. Throws if they will never come.
void leave_collapsed_pool();

}  // namespace cria::backend
