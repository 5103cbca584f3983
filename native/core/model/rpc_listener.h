// Where a worker waits for its clients. Compiled into ggml's target for the RPC backend, as
// rpc_endpoint.h.
#pragma once

#include <atomic>
#include <string>

#include "core/model/rpc_socket.h"

namespace cria::rpc {

// Never freed: a thread that was left behind may still serve a client of it.
class Listener {
 public:
  // `address`: of this machine. Port 0 takes any that is free. Throws ERR_INVALID_ARGUMENT.
  static Listener& open(const std::string& address, int port);
  // By name(); null if there is none.
  static Listener* find(const std::string& name);

  // As ggml knows it, in its form "host:port".
  const std::string& name() const { return name_; }
  int port() const { return port_; }
  const Socket& socket() const { return socket_; }

  // Any thread: no client is waited for any more, nor anything that one may send.
  void stop() { stopping_.store(true); }
  bool stopping() const { return stopping_.load(); }
  // The thread that has served: the port is free then.
  void close();

 private:
  Listener(Socket socket, int number);

  Socket socket_;
  const std::string name_;
  const int port_;
  std::atomic<bool> stopping_{false};
};

}  // namespace cria::rpc
