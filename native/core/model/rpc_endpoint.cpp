#include "core/model/rpc_endpoint.h"

#include <transport.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "core/model/error.h"

namespace cria::rpc {

namespace {

// Of a connection that is being made: to be taken, and then to be greeted.
constexpr std::chrono::milliseconds kGreetingPatience{5000};
// How long a wait goes on that nobody wants any more.
constexpr std::chrono::milliseconds kGrace{1000};
constexpr std::chrono::milliseconds kTick{100};

// No objects with destructors: with mingw-w64 such of a thread can deadlock at its end.
thread_local bool on_wire = false;
thread_local bool answer_missing = false;        // of the message that this wire's thread is at
thread_local Endpoint* used_endpoint = nullptr;  // by this thread, at last
thread_local const Endpoint* met_lost = nullptr;
thread_local StopWatch* stop_watch = nullptr;
thread_local bool quietly = false;  // see LostQuietly

struct Endpoints {
  std::mutex mutex;
  std::unordered_map<std::string, Endpoint*> by_name;
  int next = 1;
};

Endpoints& endpoints() {
  static Endpoints* const all = new Endpoints();
  return *all;
}

bool nobody_stops() { return !StopWatch::stopped(); }

}  // namespace

Endpoint::Endpoint(std::string url, Milliseconds silence, int number)
    : url_(std::move(url)), name_("w" + std::to_string(number) + ":1"), silence_(silence) {}

Endpoint& Endpoint::connect(const std::string& url, const std::string& host, int port,
                            Milliseconds silence) {
  std::string problem;
  Socket socket = Socket::connect(host, port, kGreetingPatience, nobody_stops, problem);
  if (!socket.open()) {
    throw Error(code::kWorkerUnreachable,
                "No worker could be reached at " + url + ": " + problem +
                    ". Start one there (`cria rpc-server`), or correct `devices`.");
  }
  const std::lock_guard<std::mutex> lock(endpoints().mutex);
  auto* made = new Endpoint(url, silence, endpoints().next++);
  made->socket_ = std::move(socket);
  endpoints().by_name.emplace(made->name_, made);
  return *made;
}

Endpoint* Endpoint::find(const std::string& name) {
  const std::lock_guard<std::mutex> lock(endpoints().mutex);
  const auto found = endpoints().by_name.find(name);
  return found == endpoints().by_name.end() ? nullptr : found->second;
}

bool Endpoint::join() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++users_;
  return !lost();
}

void Endpoint::leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  --users_;
}

void Endpoint::give_up(bool again) {
  const std::lock_guard<std::mutex> lock(mutex_);
  given_up_ += again ? 0 : 1;
  if (given_up_ >= users_) lose_locked("nobody waits for it any more");
}

void Endpoint::resume() {
  const std::lock_guard<std::mutex> lock(mutex_);
  --given_up_;
}

void Endpoint::lose(const std::string& reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  lose_locked(reason);
}

void Endpoint::lose_locked(const std::string& reason) {
  if (lost()) return;
  reason_ = reason;
  lost_.store(true, std::memory_order_release);
}

void Endpoint::throw_lost() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!greeted_.load()) {
    throw Error(code::kWorkerUnreachable,
                "What answers at " + url_ + " is no worker that can be used: " + reason_ +
                    ". Start `cria rpc-server` of the same version of cria there, for this process "
                    "alone: a worker serves one at a time.");
  }
  throw Error(code::kWorkerUnreachable,
              "The worker at " + url_ + " is lost: " + reason_ +
                  ". What it held of the model is gone with the connection: once it is there "
                  "again, load the model anew.");
}

bool Endpoint::goes_on() const { return !lost() && (greeted_.load() || nobody_stops()); }

Endpoint::Milliseconds Endpoint::patience() const {
  return greeted_.load() ? silence_ : std::min(silence_, kGreetingPatience);
}

bool Endpoint::settle(Socket::Transfer how) {
  switch (how) {
    case Socket::Transfer::kDone:
      return true;
    case Socket::Transfer::kClosed:
      lose("it closed the connection");
      return false;
    case Socket::Transfer::kSilent:
      lose("it was silent for " + std::to_string(patience().count() / 1000) + " s");
      return false;
    case Socket::Transfer::kStopped:
      lose("nobody waits for it any more");
      return false;
    default:
      lose("the connection broke off");
      return false;
  }
}

// As ggml sends it: the command, the length, and what this side can do beside TCP, which is
// nothing. Of the answer only the length is looked at here.
void Endpoint::greet() {
  constexpr uint8_t kHello = 14;
  constexpr uint64_t kMostOfAnswer = 1024;
  const uint64_t length = RPC_CONN_CAPS_SIZE;
  std::vector<uint8_t> hello(1 + sizeof(length) + RPC_CONN_CAPS_SIZE);
  hello[0] = kHello;
  std::memcpy(hello.data() + 1, &length, sizeof(length));
  uint64_t size = 0;
  if (!send(hello.data(), hello.size()) || !receive(&size, sizeof(size))) return;
  if (size > kMostOfAnswer) return lose("it gave an answer that is none");
  std::vector<uint8_t> answer(sizeof(size) + static_cast<size_t>(size));
  std::memcpy(answer.data(), &size, sizeof(size));
  if (receive(answer.data() + sizeof(size), static_cast<size_t>(size)))
    welcome_ = std::move(answer);
}

// Once it is lost, what would be sent is dropped in silence by the wire's thread, so that messages
// without an answer succeed. Its socket is closed at once: the worker may serve others.
bool Endpoint::send(const void* data, size_t size) {
  used_endpoint = this;
  if (next_ < welcome_.size()) return true;  // ggml's greeting
  if (!lost() && settle(socket_.send(data, size, patience(), [this] { return goes_on(); }))) {
    return true;
  }
  socket_ = Socket();
  return on_wire;
}

bool Endpoint::receive(void* data, size_t size) {
  used_endpoint = this;
  if (next_ < welcome_.size()) {
    const size_t count = std::min(size, welcome_.size() - next_);
    std::memcpy(data, welcome_.data() + next_, count);
    next_ += count;
    return count == size;
  }
  if (!lost() && settle(socket_.receive(data, size, patience(), [this] { return goes_on(); }))) {
    return true;
  }
  socket_ = Socket();
  return false;
}

void Endpoint::hang_up() {
  lose("the connection was closed");
  socket_ = Socket();
}

void throw_if_lost() {
  if (const Endpoint* lost = std::exchange(met_lost, nullptr)) lost->throw_lost();
}

LostQuietly::LostQuietly() : outer_(std::exchange(quietly, true)) {}

LostQuietly::~LostQuietly() { quietly = outer_; }

LostUnheard::LostUnheard() : before_(met_lost) {}

LostUnheard::~LostUnheard() { met_lost = before_; }

StopWatch::StopWatch(std::function<bool()> wanted)
    : wanted_(std::move(wanted)), outer_(stop_watch) {
  stop_watch = this;
}

StopWatch::~StopWatch() {
  for (size_t i = 0; i < given_up_; ++i)
    guarded_[i]->resume();
  stop_watch = outer_;
}

bool StopWatch::stopped() { return !on_wire && stop_watch != nullptr && stop_watch->wanted(); }

void StopWatch::break_off() {
  for (size_t i = 0; i < guarded_.size(); ++i)
    guarded_[i]->give_up(/*again=*/i < given_up_);
  given_up_ = guarded_.size();
}

void Future::wait() const {
  if (!state_) return;
  std::unique_lock<std::mutex> lock(state_->mutex);
  const auto done = [this] { return state_->done; };
  std::chrono::milliseconds unwanted{0};
  while (!state_->changed.wait_for(lock, kTick, done)) {
    if (nobody_stops()) continue;
    unwanted += kTick;
    if (unwanted >= kGrace) stop_watch->break_off();
  }
  if (state_->lost != nullptr) met_lost = state_->lost;
  if (state_->failed && !quietly) state_->lost->throw_lost();
}

Completion::Completion() { future_.state_ = std::make_shared<Future::State>(); }

void Completion::set_value() {
  const std::lock_guard<std::mutex> lock(future_.state_->mutex);
  future_.state_->done = true;
  future_.state_->failed = std::exchange(answer_missing, false);
  if (used_endpoint != nullptr && used_endpoint->lost()) future_.state_->lost = used_endpoint;
  future_.state_->changed.notify_all();
}

void fail(const char* format, ...) {
  // Before a connection was used on this thread, there is nothing that could be wrong with one.
  if (used_endpoint == nullptr) throw Error(code::kInternal, std::string("ggml's RPC: ") + format);
  const bool version = std::strstr(format, "handshake") != nullptr;
  used_endpoint->lose(version ? "it speaks another version of the protocol"
                              : "it gave an answer that is none");
  if (!on_wire) used_endpoint->throw_lost();
  answer_missing = true;
}

WireThread::WireThread() { on_wire = true; }

WireThread::~WireThread() {
  on_wire = false;
  used_endpoint = nullptr;
}

bool WireThread::here() { return on_wire; }

}  // namespace cria::rpc
