#include "core/model/backend.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <llama.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/model/compute_pool.h"
#include "core/model/cpu_level.h"
#include "core/model/error.h"
#include "core/model/remote_worker.h"

namespace cria::backend {

void capture_error(const std::string& message);  // a friend of ErrorCapture

namespace {

// Or could not be.
std::atomic<bool> devices_opened{false};

thread_local ErrorCapture* current_capture = nullptr;
thread_local AbortGuard* current_guard = nullptr;
thread_local bool silent = false;
thread_local Collapse* joined_pool = nullptr;  // set on the threads of pools

// How long a failed thread waits for those of its pools, which end at their next barrier.
constexpr std::chrono::seconds kPatience{1};

struct Line {
  ggml_log_level level = GGML_LOG_LEVEL_INFO;
  std::string text;
};

struct Listeners {
  std::mutex mutex;
  std::map<int, LogListener> by_id;
  int next_id = 1;
  // Not thread_local: with mingw-w64 an object of a thread that has a destructor deadlocks when two
  // threads end at once. One waits for the loader while it has locked all of winpthreads.
  std::map<std::thread::id, Line> begun;
  std::atomic<int> count{0};  // readable without the lock: most messages have no reader
};

// Leaked: messages may come while static objects are being destroyed.
Listeners& listeners() {
  static Listeners* instance = new Listeners();
  return *instance;
}

const char* level_name(ggml_log_level level) {
  switch (level) {
    case GGML_LOG_LEVEL_ERROR:
      return "error";
    case GGML_LOG_LEVEL_WARN:
      return "warn";
    case GGML_LOG_LEVEL_INFO:
      return "info";
    default:
      return "debug";
  }
}

// llama.cpp logs whole lines, or a line in parts: the later parts at level CONT, the last one with
// the newline. They are joined here, for each thread separately.
void on_log(ggml_log_level level, const char* text, void* /*unused*/) {
  Listeners& all = listeners();
  const bool heard = !silent && all.count.load(std::memory_order_relaxed) > 0;
  if (current_capture == nullptr && !heard) return;

  const std::lock_guard<std::mutex> lock(all.mutex);
  Line line;
  auto begun = all.begun.extract(std::this_thread::get_id());
  if (level != GGML_LOG_LEVEL_CONT) {
    line.level = level;
  } else if (!begun.empty()) {
    line = std::move(begun.mapped());
  }
  line.text += text;
  if (line.text.empty() || line.text.back() != '\n') {
    all.begun.emplace(std::this_thread::get_id(), std::move(line));
    return;
  }
  while (!line.text.empty() && line.text.back() == '\n')
    line.text.pop_back();
  if (line.text.empty()) return;

  if (line.level == GGML_LOG_LEVEL_ERROR) capture_error(line.text);
  if (silent) return;
  for (const auto& [id, listener] : all.by_id)
    listener(level_name(line.level), line.text);
}

// The process is about to die: the only time that cria itself writes to stderr.
void say_last_words(const char* what, const char* reason) noexcept {
  std::fprintf(stderr, "cria: %s: %s\n", what, reason);
  std::fflush(stderr);
}

// If this returns, ggml calls abort().
void on_ggml_abort(const char* message) {
  if (joined_pool != nullptr) {
    joined_pool->fail(code::kInternal, message);
    throw Collapsed{};
  }
  if (current_guard == nullptr) {
    say_last_words("llama.cpp failed where it cannot be stopped", message);
    return;
  }
  Collapse* collapse = current_guard->collapse();
  if (collapse != nullptr) {
    collapse->fail(code::kInternal, message);
    collapse->wait_for_all(kPatience);
  }
  throw AssertionError(code::kInternal, message);
}

// Replaces ggml's, which starts a debugger.
[[noreturn]] void on_terminate() {
  const char* reason = "std::terminate without an exception";
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    say_last_words("an uncaught exception", error.what());
    std::abort();
  } catch (...) {
    reason = "of an unknown kind";
  }
  say_last_words("an uncaught exception", reason);
  std::abort();
}

// By the words of llama.cpp and its backends: null if they are about something else.
const char* code_in(const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  if (says("ErrorDeviceLost") || says("device lost")) return code::kDeviceLost;
  const bool memory = says("to allocate") || says("allocation of size") || says("out of memory") ||
                      says("ErrorOutOfDeviceMemory") || says("ErrorOutOfHostMemory");
  return memory ? code::kOutOfMemory : nullptr;
}

}  // namespace

void capture_error(const std::string& message) {
  if (current_capture == nullptr) return;
  if (current_capture->first_.empty()) current_capture->first_ = message;
  if (current_capture->code_ == nullptr) current_capture->code_ = code_in(message);
}

void start() {
  cpu_level();  // may throw, which neither ggml's registry nor std::call_once would let through
  static std::once_flag started;
  std::call_once(started, [] {
    std::set_terminate(on_terminate);
    ggml_set_abort_callback(on_ggml_abort);
    install_compute_hooks();
    llama_log_set(on_log, nullptr);
    llama_backend_init();
  });
}

const char* type_name(ggml_backend_dev_t device) {
  if (RemoteWorker::of(device) != nullptr) return "rpc";
  switch (ggml_backend_dev_type(device)) {
    case GGML_BACKEND_DEVICE_TYPE_CPU:
      return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU:
      return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU:
      return "integrated-gpu";
    default:
      return "accelerator";
  }
}

std::vector<Device> devices() {
  std::vector<Device> found;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_props props{};
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    ggml_backend_dev_get_props(device, &props);
    found.push_back(
        {props.name, props.description, type_name(device), props.memory_total, props.memory_free});
  }
  return found;
}

bool devices_are_open() {
  if (devices_opened.load()) return true;
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) != GGML_BACKEND_DEVICE_TYPE_CPU)
      return false;
  }
  return true;
}

void open_devices() {
  struct Opening {
    std::mutex mutex;
    std::optional<Failure> failure;
  };
  static Opening* const opening = new Opening();  // leaked: its failure's code is kept by pointer
  const std::lock_guard<std::mutex> lock(opening->mutex);
  if (!devices_opened.load()) {
    const ErrorCapture errors;
    try {
      for (size_t i = 0; i < ggml_backend_dev_count(); ++i)
        ggml_backend_dev_buffer_type(ggml_backend_dev_get(i));
    } catch (...) {
      opening->failure = current_failure(code::kUnsupported);
      opening->failure->message =
          "A GPU could not be opened: " + errors.reason(opening->failure->message) +
          " Update its driver, or do without it: set CRIA_BACKEND=cpu.";
    }
    devices_opened.store(true);
  }
  if (opening->failure) throw Error(opening->failure->code.c_str(), opening->failure->message);
}

std::vector<std::string> cpu_features() {
  std::vector<std::string> names;
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return names;
  ggml_backend_reg_t registry = ggml_backend_dev_backend_reg(cpu);
  const auto features = reinterpret_cast<ggml_backend_get_features_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_get_features"));
  if (features == nullptr) return names;
  for (ggml_backend_feature* feature = features(registry); feature->name != nullptr; ++feature) {
    if (std::string(feature->value) != "0") names.emplace_back(feature->name);
  }
  return names;
}

int add_log_listener(LogListener listener) {
  Listeners& all = listeners();
  std::lock_guard<std::mutex> lock(all.mutex);
  const int id = all.next_id++;
  all.by_id.emplace(id, std::move(listener));
  all.count.store(static_cast<int>(all.by_id.size()), std::memory_order_relaxed);
  return id;
}

// Waits for a call in progress: after it the listener is never called again.
void remove_log_listener(int id) {
  Listeners& all = listeners();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.by_id.erase(id);
  all.count.store(static_cast<int>(all.by_id.size()), std::memory_order_relaxed);
}

ErrorCapture::ErrorCapture() : outer_(current_capture) { current_capture = this; }

ErrorCapture::~ErrorCapture() { current_capture = outer_; }

std::string ErrorCapture::reason(const std::string& otherwise) const {
  if (first_.empty()) return otherwise;
  // "llama_model_load: error loading model: …" → "error loading model: …"
  const size_t colon = first_.find(": ");
  const bool function = colon != std::string::npos && first_.find(' ') > colon;
  return function ? first_.substr(colon + 2) : first_;
}

Silence::Silence() : outer_(silent) { silent = true; }

Silence::~Silence() { silent = outer_; }

const char* ErrorCapture::code(const char* otherwise) const {
  return code_ == nullptr ? otherwise : code_;
}

AbortGuard::AbortGuard(Collapse* collapse) : collapse_(collapse), outer_(current_guard) {
  current_guard = this;
}

AbortGuard::~AbortGuard() { current_guard = outer_; }

PoolThread::PoolThread(Collapse* collapse) { joined_pool = collapse; }

PoolThread::~PoolThread() { joined_pool = nullptr; }

void leave_collapsed_pool() {
  if (!Collapse::any()) return;
  if (joined_pool != nullptr) {
    if (joined_pool->failed()) throw Collapsed{};
    return;
  }
  Collapse* collapse = current_guard == nullptr ? nullptr : current_guard->collapse();
  if (collapse == nullptr || !collapse->failed()) return;
  collapse->wait_for_all(kPatience);
  throw AssertionError(collapse->code(), collapse->reason());
}

}  // namespace cria::backend
