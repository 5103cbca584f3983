// A worker on another machine, or in another process: a connection to it, shared by all models of
// this process that lie there, since a worker serves one connection at a time.
#pragma once

#include <ggml-backend.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/rpc_endpoint.h"

namespace cria {

class RemoteWorker {
 public:
  // Whether a name of a device is a worker's URL, "rpc://host:port".
  static bool is_url(const std::string& device);

  // Connects, or takes the connection that there is. `silence`: how long it may say nothing when it
  // was asked something; the first who connects decides. Throws ERR_WORKER_UNREACHABLE.
  static std::shared_ptr<RemoteWorker> at(const std::string& url,
                                          std::chrono::milliseconds silence);

  // The worker of a device; null if the device is a local one.
  static const RemoteWorker* of(ggml_backend_dev_t device);

  RemoteWorker(const RemoteWorker&) = delete;
  RemoteWorker& operator=(const RemoteWorker&) = delete;
  ~RemoteWorker();

  const std::string& url() const { return endpoint_.url(); }
  // At least one. Valid for ever, of use as long as this lives.
  const std::vector<ggml_backend_dev_t>& devices() const { return devices_; }
  // As shown to users: the URL, with the device's index where there are several.
  std::string name_of(ggml_backend_dev_t device) const;
  rpc::Endpoint& endpoint() const { return endpoint_; }
  // Returns when it has computed and stored all that it was told so far: graphs and tensors have no
  // answer. Throws ERR_WORKER_UNREACHABLE.
  void settle() const;

 private:
  explicit RemoteWorker(rpc::Endpoint& endpoint);

  rpc::Endpoint& endpoint_;
  std::shared_ptr<void> connection_;
  std::vector<ggml_backend_dev_t> devices_;
};

// What users call a device.
std::string shown_name(ggml_backend_dev_t device);

}  // namespace cria
