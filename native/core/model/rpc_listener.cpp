#include "core/model/rpc_listener.h"

#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/model/error.h"

namespace cria::rpc {

namespace {

struct Listeners {
  std::mutex mutex;
  std::unordered_map<std::string, Listener*> by_name;
  int next = 1;
};

Listeners& listeners() {
  static Listeners* const all = new Listeners();
  return *all;
}

}  // namespace

Listener::Listener(Socket socket, int number)
    : socket_(std::move(socket)),
      name_("l" + std::to_string(number) + ":1"),
      port_(socket_.port()) {}

Listener& Listener::open(const std::string& address, int port) {
  std::string problem;
  Socket socket = Socket::listen(address, port, problem);
  if (!socket.open()) {
    throw Error(code::kInvalidArgument, "No worker can listen at " + address + ", port " +
                                            std::to_string(port) + ": " + problem +
                                            ". Choose another port; 0 takes any that is free.");
  }
  const std::lock_guard<std::mutex> lock(listeners().mutex);
  auto* made = new Listener(std::move(socket), listeners().next++);
  listeners().by_name.emplace(made->name_, made);
  return *made;
}

Listener* Listener::find(const std::string& name) {
  const std::lock_guard<std::mutex> lock(listeners().mutex);
  const auto found = listeners().by_name.find(name);
  return found == listeners().by_name.end() ? nullptr : found->second;
}

void Listener::close() {
  stop();
  socket_ = Socket();
}

}  // namespace cria::rpc
