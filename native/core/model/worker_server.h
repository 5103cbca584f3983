// This process as a worker: the other end of a RemoteWorker. One client at a time; whoever can
// reach the port can do with this process as he likes.
#pragma once

#include <ggml-backend.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/model/error.h"
#include "core/model/rpc_listener.h"
#include "core/model/worker.h"

namespace cria {

struct WorkerServerOptions {
  std::string address;  // of this machine
  int32_t port = 0;     // 0: any that is free
  int32_t threads = 0;  // 0: the physical cores
  // By name; empty: the GPUs, or the CPU where there is none.
  std::vector<std::string> devices;
  std::string cache;  // a folder for tensors that clients may send again; empty: none
};

class WorkerServer {
 public:
  // Listens. `ended` is called once, on a thread of the server's own, when it serves no more: with
  // the failure that ended it, or with an empty code after stop(). Throws ERR_INVALID_ARGUMENT for
  // an address, a port or a device that cannot be had.
  WorkerServer(const WorkerServerOptions& options, std::function<void(const Failure&)> ended);

  int port() const { return listener_.port(); }
  void stop() { listener_.stop(); }
  // What a client has begun is computed to its end. One that takes longer is left behind.
  bool stop_by(std::chrono::steady_clock::time_point deadline);

 private:
  // Before the listener: where one of these cannot be had, no port is taken.
  const std::vector<ggml_backend_dev_t> devices_;
  Worker thread_;
  rpc::Listener& listener_;
};

}  // namespace cria
