// What ggml's RPC backend sends and receives over, in place of its own transport.cpp, which waits
// without limit, raises SIGPIPE, and knows IPv4 only. An "endpoint" of ggml's is the name of an
// Endpoint or a Listener, with a port that says nothing.

#include <transport.h>

#include <cstring>
#include <string>
#include <utility>

#include "core/model/rpc_endpoint.h"
#include "core/model/rpc_listener.h"

namespace rpc = cria::rpc;

// A worker's client may be silent as long as it likes.
static constexpr rpc::Socket::Milliseconds kForever = std::chrono::hours(24 * 365);

// One of the three: a connection to a worker, a worker's listener, a worker's client.
struct socket_t::impl {
  rpc::Endpoint* endpoint = nullptr;
  rpc::Listener* listener = nullptr;
  rpc::Socket client;

  ~impl() {
    if (endpoint != nullptr) endpoint->hang_up();
  }
  bool goes_on() const { return !listener->stopping(); }
};

socket_t::socket_t(std::unique_ptr<impl> p) : pimpl(std::move(p)) {}

socket_t::~socket_t() = default;

bool socket_t::send_data(const void* data, size_t size) {
  if (pimpl->endpoint != nullptr) return pimpl->endpoint->send(data, size);
  return pimpl->client.send(data, size, kForever, [this] { return pimpl->goes_on(); }) ==
         rpc::Socket::Transfer::kDone;
}

bool socket_t::recv_data(void* data, size_t size) {
  if (pimpl->endpoint != nullptr) return pimpl->endpoint->receive(data, size);
  return pimpl->client.receive(data, size, kForever, [this] { return pimpl->goes_on(); }) ==
         rpc::Socket::Transfer::kDone;
}

bool socket_t::flush() { return true; }

// Of other transports than TCP there are none.
void socket_t::get_caps(uint8_t* caps) { std::memset(caps, 0, RPC_CONN_CAPS_SIZE); }

void socket_t::update_caps(const uint8_t* /*caps*/) {}

socket_ptr socket_t::accept() {
  auto made = std::make_unique<impl>();
  made->listener = pimpl->listener;
  made->client = pimpl->listener->socket().accept([this] { return pimpl->goes_on(); });
  if (!made->client.open()) return nullptr;
  return socket_ptr(new socket_t(std::move(made)));
}

socket_ptr socket_t::create_server(const char* host, int port) {
  auto made = std::make_unique<impl>();
  made->listener = rpc::Listener::find(std::string(host) + ":" + std::to_string(port));
  if (made->listener == nullptr) return nullptr;
  return socket_ptr(new socket_t(std::move(made)));
}

socket_ptr socket_t::connect(const char* host, int port) {
  auto made = std::make_unique<impl>();
  made->endpoint = rpc::Endpoint::find(std::string(host) + ":" + std::to_string(port));
  // Lost: it was connected before, and ggml would like to try again.
  if (made->endpoint == nullptr) return nullptr;
  if (made->endpoint->lost()) made->endpoint->throw_lost();
  return socket_ptr(new socket_t(std::move(made)));
}

bool rpc_transport_init() { return true; }

void rpc_transport_shutdown() {}
