#include "core/model/worker_server.h"

#include <memory>
#include <utility>

#include "core/model/backend.h"
#include "core/model/compute_pool.h"
#include "core/model/cpu.h"
#include "core/model/rpc_backend.h"

namespace cria {

namespace {

// How long the pool's threads may take to notice that the graph was given up.
constexpr std::chrono::seconds kPatience{1};

std::vector<ggml_backend_dev_t> devices_of(const WorkerServerOptions& options) {
  backend::open_devices();
  std::vector<ggml_backend_dev_t> devices;
  for (const std::string& name : options.devices) {
    ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str());
    if (device == nullptr) {
      throw Error(code::kInvalidArgument,
                  "Expected names from listDevices(), got \"" + name + "\".");
    }
    devices.push_back(device);
  }
  for (size_t i = 0; i < ggml_backend_dev_count() && options.devices.empty(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
    if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) {
      devices.push_back(device);
    }
  }
  if (devices.empty()) {
    devices.push_back(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
  }
  return devices;
}

// Without a pool of its own ggml would start threads for every graph.
ggml_backend_t cpu_backend(ggml_backend_dev_t device, const ComputePool& pool) {
  ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
  const auto set_threadpool = reinterpret_cast<decltype(&ggml_backend_cpu_set_threadpool)>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device),
                                        "ggml_backend_cpu_set_threadpool"));
  if (backend != nullptr && set_threadpool != nullptr) set_threadpool(backend, pool.handle());
  return backend;
}

void serve(const std::string& listener, const WorkerServerOptions& options,
           const std::vector<ggml_backend_dev_t>& devices) {
  const auto collapse = std::make_shared<Collapse>();
  const backend::AbortGuard guard(collapse.get());
  const int32_t threads = options.threads > 0 ? options.threads : physical_cores();
  ComputePool pool(threads, collapse);
  try {
    rpc::serve(listener, options.cache, static_cast<size_t>(threads), devices,
               [&pool](ggml_backend_dev_t device) {
                 return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU
                            ? cpu_backend(device, pool)
                            : ggml_backend_dev_init(device, nullptr);
               });
  } catch (...) {
    // The pool's threads may be in the middle of a graph, where they would wait for this one.
    collapse->fail(code::kInternal, "The evaluation was abandoned.");
    if (!collapse->wait_for_all(kPatience)) pool.abandon();
    throw;
  }
}

}  // namespace

WorkerServer::WorkerServer(const WorkerServerOptions& options,
                           std::function<void(const Failure&)> ended)
    : devices_(devices_of(options)), listener_(rpc::Listener::open(options.address, options.port)) {
  thread_.post([options, devices = devices_, ended = std::move(ended), &listener = listener_] {
    Failure failure;
    try {
      serve(listener.name(), options, devices);
      if (!listener.stopping()) failure = {code::kInternal, "The worker ended by itself."};
    } catch (...) {
      failure = current_failure();
    }
    listener.close();
    ended(failure);
  });
}

bool WorkerServer::stop_by(std::chrono::steady_clock::time_point deadline) {
  stop();
  return thread_.stop_by(deadline);
}

}  // namespace cria
