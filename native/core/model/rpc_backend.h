// ggml's RPC backend, as rpc_backend.cpp compiles it.
#pragma once

#include <ggml-backend.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/model/rpc_endpoint.h"

namespace cria::rpc {

// Of ggml's objects, by an Endpoint's name. Throw ERR_WORKER_UNREACHABLE.

// Greets the worker. What is returned keeps the connection.
std::shared_ptr<void> connect(Endpoint& endpoint);
uint32_t device_count(const std::string& endpoint);
// Never freed.
std::vector<ggml_backend_dev_t> devices(const std::string& endpoint);

// Serves clients with these devices, one after the other, until the Listener of this name is
// stopped. `cache`: a folder for tensors that a client may send again; none if empty. `init` makes
// each device's backend.
void serve(const std::string& listener, const std::string& cache, size_t threads,
           std::vector<ggml_backend_dev_t> devices,
           const std::function<ggml_backend_t(ggml_backend_dev_t)>& init);

}  // namespace cria::rpc
