// TCP sockets that never block: every wait has a limit, and can be told to end. Addresses are those
// of IPv4 and IPv6.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace cria::rpc {

class Socket {
 public:
  using Milliseconds = std::chrono::milliseconds;
  // Asked every 100 ms while something is waited for.
  using GoesOn = std::function<bool()>;
  enum class Transfer { kDone, kClosed, kSilent, kStopped, kFailed };

  Socket() = default;
  explicit Socket(intptr_t id) : id_(id) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : id_(other.id_) { other.id_ = kNone; }
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // An open one, or none and the reason, half a sentence, in `problem`. `host`: a name or an
  // address.
  static Socket connect(const std::string& host, int port, Milliseconds patience,
                        const GoesOn& goes_on, std::string& problem);
  // `address`: of this machine. Port 0 takes any that is free.
  static Socket listen(const std::string& address, int port, std::string& problem);

  bool open() const { return id_ != kNone; }
  intptr_t id() const { return id_; }
  int port() const;  // its own
  // None if it was told to end, or failed.
  Socket accept(const GoesOn& goes_on) const;
  // All of it. `silence`: the longest time in which not one byte moves.
  Transfer send(const void* data, size_t size, Milliseconds silence, const GoesOn& goes_on) const;
  Transfer receive(void* data, size_t size, Milliseconds silence, const GoesOn& goes_on) const;

 private:
  static constexpr intptr_t kNone = -1;
  template <typename Move>
  Transfer transfer(size_t size, bool sends, Milliseconds silence, const GoesOn& goes_on,
                    const Move& move) const;
  void close();

  intptr_t id_ = kNone;
};

}  // namespace cria::rpc
