// One connection to a worker of llama.cpp's RPC protocol. ggml's RPC backend ends the process where
// a worker is gone; here it gets silence instead, and whoever waited for an answer gets an error:
//
//   what asks            once the connection is lost
//   ──────────────────────────────────────────────────────────────────────────────────────────
//   for an answer        Future::wait() throws ERR_WORKER_UNREACHABLE on the asking thread, but
//                        within LostQuietly
//   for none (frees…)    nothing happens: destructors run as ever
//   to be done with all  nothing happens, but throw_if_lost() throws afterwards
//
// Compiled into ggml's target for the RPC backend, so it uses nothing of the core but error.h.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/model/rpc_socket.h"

namespace cria::rpc {

// Never freed: nor are the devices that ggml makes for it.
class Endpoint {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // `silence`: how long a worker that was asked something may say nothing. Throws
  // ERR_WORKER_UNREACHABLE if nobody takes the connection.
  static Endpoint& connect(const std::string& url, const std::string& host, int port,
                           Milliseconds silence);
  // By name(); null if there is none.
  static Endpoint* find(const std::string& name);

  // As ggml knows it, in its form "host:port". Each connection has another one, so that what ggml
  // keeps for a name is never that of a lost one.
  const std::string& name() const { return name_; }
  // As the user wrote it.
  const std::string& url() const { return url_; }

  bool lost() const { return lost_.load(std::memory_order_acquire); }
  // Any thread. The first reason, a part of a sentence, is kept.
  void lose(const std::string& reason);

  // Any thread, as the next three. One more uses it, until leave(). False: it is lost already.
  bool join();
  void leave();
  // One of those who use it wants no answer any more, until resume(). Once none of them does, it is
  // lost. `again`: the same one.
  void give_up(bool again);
  void resume();

  // What is thrown once it is lost.
  [[noreturn]] void throw_lost() const;

  // Asks for the answer to ggml's greeting before ggml does, which holds a lock of all connections
  // meanwhile. Its own greeting is then swallowed, and answered with that. Once it is lost, nothing
  // happens.
  void greet();
  // What it says of itself is known: from then on it may take its time.
  void greeted() { greeted_.store(true); }

  // For one thread at a time. Whether all went over; it is lost if not.
  bool send(const void* data, size_t size);
  bool receive(void* data, size_t size);
  // When ggml uses it no more.
  void hang_up();

 private:
  Endpoint(std::string url, Milliseconds silence, int number);

  void lose_locked(const std::string& reason);
  bool settle(Socket::Transfer how);
  bool goes_on() const;
  Milliseconds patience() const;

  const std::string url_;
  const std::string name_;
  const Milliseconds silence_;
  Socket socket_;
  std::atomic<bool> greeted_{false};
  // What ggml's greeting is answered with, from `next_` on.
  std::vector<uint8_t> welcome_;
  size_t next_ = 0;
  std::atomic<bool> lost_{false};
  mutable std::mutex mutex_;
  std::string reason_;
  int users_ = 0;
  int given_up_ = 0;  // of the users
};

// Throws if this thread has met a lost connection since it last asked. To be called after all that
// llama.cpp does with a model: it catches exceptions, and does not look at what it reads.
void throw_if_lost();

// While it lives, an answer that is missing is no exception on this thread: what should hold it
// stays as it was, and throw_if_lost() throws afterwards. For what llama.cpp reads in destructors,
// where an exception would end the process: states of sequences.
class LostQuietly {
 public:
  LostQuietly();
  ~LostQuietly();
  LostQuietly(const LostQuietly&) = delete;
  LostQuietly& operator=(const LostQuietly&) = delete;

 private:
  const bool outer_;
};

// While it lives, this thread hears of no connection that is lost.
class LostUnheard {
 public:
  LostUnheard();
  ~LostUnheard();
  LostUnheard(const LostUnheard&) = delete;
  LostUnheard& operator=(const LostUnheard&) = delete;

 private:
  const LostQuietly quietly_;
  const Endpoint* const before_;
};

// While it lives, this thread waits for a worker no longer than a second after `wanted` says so.
// What it waited for is lost then with its connection, unless others use that, who still wait.
class StopWatch {
 public:
  explicit StopWatch(std::function<bool()> wanted);
  ~StopWatch();
  StopWatch(const StopWatch&) = delete;
  StopWatch& operator=(const StopWatch&) = delete;

  // One that this thread uses, as long as this lives and longer.
  void guard(Endpoint& endpoint) { guarded_.push_back(&endpoint); }
  bool wanted() const { return wanted_(); }
  // Whether this thread should wait for no worker any more.
  static bool stopped();
  void break_off();

 private:
  const std::function<bool()> wanted_;
  std::vector<Endpoint*> guarded_;
  size_t given_up_ = 0;  // the first so many of these
  StopWatch* const outer_;
};

// In place of std::promise and its futures within ggml's RPC backend.
class Future {
 public:
  template <typename>
  using For = Future;

  Future share() const { return *this; }
  void wait() const;

 private:
  friend class Completion;
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    bool failed = false;
    const Endpoint* lost = nullptr;
  };
  std::shared_ptr<State> state_;
};

class Completion {
 public:
  template <typename>
  using For = Completion;

  Completion();
  Future get_future() const { return future_; }
  // The wire's thread: the message was sent, and its answer, if it has one, has come or never will.
  void set_value();

 private:
  Future future_;
};

// In place of GGML_ABORT within ggml's RPC backend. On the wire's thread it returns, and the
// message counts as failed; elsewhere it throws.
void fail(const char* format, ...);

// While it lives, this thread sends and receives what others ask for.
class WireThread {
 public:
  WireThread();
  ~WireThread();
  WireThread(const WireThread&) = delete;
  WireThread& operator=(const WireThread&) = delete;

  static bool here();
};

}  // namespace cria::rpc
