// Compiles ggml-rpc.cpp with other words for what would end the process, wait for ever or print
// (rpc_endpoint.h). What is included there has to be included before the words are changed.

#include "core/model/rpc_backend.h"

#include <ggml-backend-impl.h>
#include <ggml-cpp.h>
#include <ggml-impl.h>
#include <ggml-rpc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cinttypes>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/model/error.h"
#include "core/model/rpc_endpoint.h"

namespace {

thread_local const std::function<ggml_backend_t(ggml_backend_dev_t)>* init_of_server = nullptr;

ggml_backend_t init_backend(ggml_backend_dev_t device) { return (*init_of_server)(device); }

}  // namespace

// In place of two functions of ggml's, whose definitions, `…(type parameter)`, get other names.
// Their uses have no parentheses.
class rpc_dispatcher;
static void rpc_dispatcher_body(rpc_dispatcher* dispatcher);
static void rpc_dispatcher_trampoline(rpc_dispatcher* dispatcher) {
  const cria::rpc::WireThread wire;
  rpc_dispatcher_body(dispatcher);
}
static void ggml_backend_rpc_buffer_free_buffer(ggml_backend_buffer_t buffer);

#define rpc_dispatcher_trampoline(parameter) rpc_dispatcher_body(parameter)
#define ggml_backend_rpc_buffer_free_buffer(parameter) free_buffer_and_wait(parameter)
#undef GGML_ABORT
#define GGML_ABORT(...) cria::rpc::fail(__VA_ARGS__)
// In ggml these stand behind `std::` and before `<void>`.
#define promise conditional_t<true, cria::rpc::Completion, void>::template For
#define shared_future conditional_t<true, cria::rpc::Future, void>::template For
#define printf(...) GGML_LOG_INFO(__VA_ARGS__)
#define fprintf(stream, ...) GGML_LOG_ERROR(__VA_ARGS__)
#define ggml_backend_dev_init(device, parameters) init_backend(device)

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"      // where GGML_ABORT ends a function
#pragma GCC diagnostic ignored "-Wunused-function"  // what ours is used in place of
#endif
#include <ggml-rpc.cpp>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#undef ggml_backend_rpc_buffer_free_buffer
#undef promise
#undef shared_future
#undef printf
#undef fprintf

// A worker keeps the graph that each of its devices computed last, to compute it again when it is
// asked without sending it, and forgets all of them when any buffer is freed. ggml asks for that
// wherever the graph is the last one sent, and ends the connection where the worker has forgotten
// it: contexts and models of one worker compute and are freed on threads of their own.
namespace {

struct KeptGraphs {
  std::mutex mutex;  // held from what is decided to its message in the wire's queue
  uint64_t freed_buffers = 0;
  std::unordered_map<const ggml_backend_rpc_device_context*, uint64_t> freed_when_sent;
};

KeptGraphs& kept_graphs() {
  static KeptGraphs* const all = new KeptGraphs();
  return *all;
}

ggml_status compute_in_turn(ggml_backend_t backend, ggml_cgraph* graph) {
  KeptGraphs& kept = kept_graphs();
  auto* device = static_cast<ggml_backend_rpc_device_context*>(backend->device->context);
  const std::lock_guard<std::mutex> lock(kept.mutex);
  uint64_t& freed = kept.freed_when_sent[device];
  if (std::exchange(freed, kept.freed_buffers) != kept.freed_buffers) device->last_graph_uid = 0;
  return ggml_backend_rpc_graph_compute(backend, graph);
}

}  // namespace

// Waits for nothing: whatever is allocated afterwards stands behind it in the queue.
static void ggml_backend_rpc_buffer_free_buffer(ggml_backend_buffer_t buffer) {
  auto* context = static_cast<ggml_backend_rpc_buffer_context*>(buffer->context);
  auto request = std::make_shared<rpc_msg_free_buffer_req>();
  request->remote_ptr = context->remote_ptr;
  {
    const std::lock_guard<std::mutex> lock(kept_graphs().mutex);
    context->dispatcher->send_async(RPC_CMD_FREE_BUFFER, request, sizeof(*request));
    ++kept_graphs().freed_buffers;
  }
  delete context;
}

namespace cria::rpc {

namespace {

// ggml's destructor takes the socket away from the wire's thread without asking whether it uses it,
// as it may: nobody has waited for the buffers that were freed last. So it is made idle before, and
// quickly: what it has not sent yet nobody needs, since a worker frees all with the connection.
void hang_up(Endpoint& endpoint, rpc_dispatcher& dispatcher) noexcept {
  try {
    endpoint.lose("the connection was closed");
    const LostUnheard unheard;
    dispatcher.synchronize();
  } catch (const std::exception&) {
    // No memory for the question: as ggml would have it.
  }
}

}  // namespace

std::shared_ptr<void> connect(Endpoint& endpoint) {
  static const bool once = [] {
    ggml_backend_rpc_interface.graph_compute = compute_in_turn;
    return true;
  }();
  static_cast<void>(once);
  endpoint.greet();
  if (endpoint.lost()) {
    endpoint.hang_up();
    endpoint.throw_lost();
  }
  const std::shared_ptr<rpc_dispatcher> dispatcher = get_dispatcher(endpoint.name());
  return {dispatcher.get(), [dispatcher, &endpoint](void*) { hang_up(endpoint, *dispatcher); }};
}

uint32_t device_count(const std::string& endpoint) {
  return ggml_backend_rpc_get_device_count(endpoint.c_str());
}

std::vector<ggml_backend_dev_t> devices(const std::string& endpoint) {
  std::vector<ggml_backend_dev_t> found;
  ggml_backend_reg_t registry = ggml_backend_rpc_add_server(endpoint.c_str());
  if (registry == nullptr) return found;
  for (size_t i = 0; i < ggml_backend_reg_dev_count(registry); ++i)
    found.push_back(ggml_backend_reg_dev_get(registry, i));
  return found;
}

void serve(const std::string& listener, const std::string& cache, size_t threads,
           std::vector<ggml_backend_dev_t> devices,
           const std::function<ggml_backend_t(ggml_backend_dev_t)>& init) {
  init_of_server = &init;
  ggml_backend_rpc_start_server(listener.c_str(), cache.empty() ? nullptr : cache.c_str(), threads,
                                devices.size(), devices.data());
}

}  // namespace cria::rpc
