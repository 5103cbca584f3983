#include "core/model/rpc_socket.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <winsock2.h>
// After winsock2.h.
#include <ws2tcpip.h>
#else
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <thread>

namespace cria::rpc {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = Socket::Milliseconds;

constexpr Milliseconds kTick{100};
constexpr size_t kMostAtOnce = size_t{1} << 30;
constexpr int kBacklog = 8;

#ifdef _WIN32
using Id = SOCKET;
using Length = int;
int last_error() { return WSAGetLastError(); }
bool would_block(int error) { return error == WSAEWOULDBLOCK; }
bool in_progress(int error) { return error == WSAEWOULDBLOCK; }
bool interrupted(int error) { return error == WSAEINTR; }
int poll_one(pollfd* entry, int timeout) { return WSAPoll(entry, 1, timeout); }
void close_id(Id id) { closesocket(id); }
void start() {
  static const bool started = [] {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0;
  }();
  static_cast<void>(started);
}
#else
using Id = int;
using Length = socklen_t;
int last_error() { return errno; }
bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }
bool in_progress(int error) { return error == EINPROGRESS; }
bool interrupted(int error) { return error == EINTR; }
int poll_one(pollfd* entry, int timeout) { return ::poll(entry, 1, timeout); }
void close_id(Id id) { ::close(id); }
void start() {}
#endif

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;
#endif

Id id_of(intptr_t id) { return static_cast<Id>(id); }

std::string words(int error) { return std::system_category().message(error); }

void set(Id id, int level, int option, int value) {
  setsockopt(id, level, option, reinterpret_cast<const char*>(&value), sizeof value);
}

// Not for programs that the process starts: a connection lives as long as anybody has it.
bool unblock(Id id) {
#ifdef _WIN32
  u_long on = 1;
  return ioctlsocket(id, FIONBIO, &on) == 0 &&
         SetHandleInformation(reinterpret_cast<HANDLE>(id), HANDLE_FLAG_INHERIT, 0) != 0;
#else
  const int flags = fcntl(id, F_GETFL, 0);
  return flags >= 0 && fcntl(id, F_SETFL, flags | O_NONBLOCK) == 0 &&
         fcntl(id, F_SETFD, FD_CLOEXEC) == 0;
#endif
}

// A machine that is gone without a word is noticed after half a minute, also while it computes.
void prepare(Id id) {
  set(id, IPPROTO_TCP, TCP_NODELAY, 1);
  set(id, SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(TCP_KEEPIDLE)
  set(id, IPPROTO_TCP, TCP_KEEPIDLE, 10);
#elif defined(TCP_KEEPALIVE)
  set(id, IPPROTO_TCP, TCP_KEEPALIVE, 10);
#endif
#ifdef TCP_KEEPINTVL
  set(id, IPPROTO_TCP, TCP_KEEPINTVL, 5);
#endif
#ifdef TCP_KEEPCNT
  set(id, IPPROTO_TCP, TCP_KEEPCNT, 4);
#endif
#ifdef TCP_USER_TIMEOUT
  set(id, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
#endif
#ifdef SO_NOSIGPIPE
  set(id, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

enum class Ready { kYes, kSilent, kStopped };

Ready wait_until(Id id, bool sends, Clock::time_point deadline, const Socket::GoesOn& goes_on) {
  for (;;) {
    if (!goes_on()) return Ready::kStopped;
    const auto left =
        std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()) + Milliseconds(1);
    if (left <= Milliseconds(0)) return Ready::kSilent;
    pollfd entry{};
    entry.fd = id;
    entry.events = sends ? POLLOUT : POLLIN;
    // What is wrong with it is told by the next call for it.
    if (poll_one(&entry, static_cast<int>(std::min(left, kTick).count())) > 0) return Ready::kYes;
  }
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, int port, int flags, std::string& problem) {
  start();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) {
    problem = "its host is not known";
    found = nullptr;
  }
  return {found, &freeaddrinfo};
}

Socket connect_to(const addrinfo& address, Clock::time_point deadline,
                  const Socket::GoesOn& goes_on, std::string& problem) {
  Socket made(static_cast<intptr_t>(::socket(address.ai_family, SOCK_STREAM, IPPROTO_TCP)));
  if (!made.open()) {
    problem = words(last_error());
    return made;
  }
  const Id id = id_of(made.id());
  if (!unblock(id)) {
    problem = words(last_error());
    return {};
  }
  prepare(id);
  if (::connect(id, address.ai_addr, static_cast<Length>(address.ai_addrlen)) == 0) return made;
  int error = last_error();
  if (in_progress(error)) {
    const Ready ready = wait_until(id, true, deadline, goes_on);
    if (ready != Ready::kYes) {
      problem = ready == Ready::kStopped ? "nobody waits for it any more" : "it does not answer";
      return {};
    }
    Length length = sizeof error;
    getsockopt(id, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &length);
    if (error == 0) return made;
  }
  problem = words(error);
  return {};
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  id_ = other.id_;
  other.id_ = kNone;
  return *this;
}

void Socket::close() {
  if (open()) close_id(id_of(id_));
  id_ = kNone;
}

Socket Socket::connect(const std::string& host, int port, Milliseconds patience,
                       const GoesOn& goes_on, std::string& problem) {
  const Clock::time_point deadline = Clock::now() + patience;
  const Addresses addresses = resolve(host, port, 0, problem);
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    Socket made = connect_to(*one, deadline, goes_on, problem);
    if (made.open()) return made;
  }
  return {};
}

Socket Socket::listen(const std::string& address, int port, std::string& problem) {
  const Addresses addresses = resolve(address, port, AI_NUMERICHOST | AI_PASSIVE, problem);
  if (!addresses) {
    problem = "it is no address";
    return {};
  }
  Socket made(static_cast<intptr_t>(::socket(addresses->ai_family, SOCK_STREAM, IPPROTO_TCP)));
  const Id id = id_of(made.id_);
  bool works = made.open() && unblock(id);
#ifdef _WIN32
  if (works) set(id, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
#else
  if (works) set(id, SOL_SOCKET, SO_REUSEADDR, 1);  // of a connection that has just ended
#endif
  works = works &&
          ::bind(id, addresses->ai_addr, static_cast<Length>(addresses->ai_addrlen)) == 0 &&
          ::listen(id, kBacklog) == 0;
  if (works) return made;
  problem = words(last_error());
  return {};
}

int Socket::port() const {
  sockaddr_storage address{};
  Length length = sizeof address;
  if (getsockname(id_of(id_), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Socket Socket::accept(const GoesOn& goes_on) const {
  for (;;) {
    const auto never = Clock::now() + std::chrono::hours(24);
    const Ready ready = wait_until(id_of(id_), false, never, goes_on);
    if (ready == Ready::kStopped) return {};
    Socket made(static_cast<intptr_t>(::accept(id_of(id_), nullptr, nullptr)));
    if (!made.open()) {
      // Who asked has left meanwhile, or this process has too many files open.
      std::this_thread::sleep_for(kTick);
      continue;
    }
    if (!unblock(id_of(made.id_))) continue;
    prepare(id_of(made.id_));
    return made;
  }
}

template <typename Move>
Socket::Transfer Socket::transfer(size_t size, bool sends, Milliseconds silence,
                                  const GoesOn& goes_on, const Move& move) const {
  for (size_t done = 0; done < size;) {
    const auto moved = move(done, std::min(size - done, kMostAtOnce));
    if (moved > 0) {
      done += static_cast<size_t>(moved);
      continue;
    }
    if (moved == 0) return Transfer::kClosed;
    const int error = last_error();
    if (interrupted(error)) continue;
    if (!would_block(error)) return Transfer::kFailed;
    const Ready ready = wait_until(id_of(id_), sends, Clock::now() + silence, goes_on);
    if (ready == Ready::kSilent) return Transfer::kSilent;
    if (ready == Ready::kStopped) return Transfer::kStopped;
  }
  return Transfer::kDone;
}

Socket::Transfer Socket::send(const void* data, size_t size, Milliseconds silence,
                              const GoesOn& goes_on) const {
  return transfer(size, true, silence, goes_on, [&](size_t from, size_t count) {
    return ::send(id_of(id_), static_cast<const char*>(data) + from,
#ifdef _WIN32
                  static_cast<int>(count),
#else
                  count,
#endif
                  kSendFlags);
  });
}

Socket::Transfer Socket::receive(void* data, size_t size, Milliseconds silence,
                                 const GoesOn& goes_on) const {
  return transfer(size, false, silence, goes_on, [&](size_t from, size_t count) {
    return ::recv(id_of(id_), static_cast<char*>(data) + from,
#ifdef _WIN32
                  static_cast<int>(count),
#else
                  count,
#endif
                  0);
  });
}

}  // namespace cria::rpc
