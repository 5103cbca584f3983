#include "core/model/remote_worker.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/model/error.h"
#include "core/model/rpc_backend.h"

namespace cria {

namespace {

constexpr char kScheme[] = "rpc://";
constexpr size_t kSchemeLength = sizeof kScheme - 1;

// More than any machine has. A worker could say any number, for each of which ggml makes a device.
constexpr uint32_t kMostDevices = 16;
// ggml rounds by it.
constexpr size_t kMostAlignment = size_t{1} << 20;

// Those of one URL.
struct Place {
  std::timed_mutex connecting;  // who comes second takes the first one's connection
  std::weak_ptr<RemoteWorker> worker;
};

struct Workers {
  std::mutex mutex;
  std::unordered_map<std::string, Place> by_url;  // none is erased: references stay
  std::mutex of_devices;
  std::unordered_map<ggml_backend_dev_t, RemoteWorker*> by_device;
};

Workers& workers() {
  static Workers* const all = new Workers();
  return *all;
}

Place& place_of(const std::string& url) {
  const std::lock_guard<std::mutex> lock(workers().mutex);
  return workers().by_url[url];
}

// Somebody else may be connecting for seconds.
std::unique_lock<std::timed_mutex> turn_at(Place& place) {
  constexpr std::chrono::milliseconds kTick{100};
  std::unique_lock<std::timed_mutex> lock(place.connecting, std::defer_lock);
  while (!lock.try_lock_for(kTick)) {
    if (rpc::StopWatch::stopped()) throw Error(code::kDisposed, "Nobody waits for the worker.");
  }
  return lock;
}

// One who was given a worker, with all copies that are made of it.
class Use {
 public:
  explicit Use(std::shared_ptr<RemoteWorker> worker)
      : worker_(std::move(worker)), holds_(worker_->endpoint().join()) {}
  ~Use() { worker_->endpoint().leave(); }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  bool holds() const { return holds_; }
  RemoteWorker* worker() const { return worker_.get(); }

 private:
  const std::shared_ptr<RemoteWorker> worker_;
  const bool holds_;  // it was not lost
};

// "rpc://host:port", "rpc://[::1]:port".
std::pair<std::string, int> parse(const std::string& url) {
  const std::string address = url.substr(kSchemeLength);
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon != std::string::npos) {
    for (const char digit : address.substr(colon + 1))
      port = digit < '0' || digit > '9' || port > 65535 ? 65536 : port * 10 + (digit - '0');
  }
  if (colon == std::string::npos || colon == 0 || port < 1 || port > 65535) {
    throw Error(code::kInvalidArgument,
                "Expected a worker as \"rpc://host:port\", got \"" + url + "\".");
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {host, port};
}

}  // namespace

bool RemoteWorker::is_url(const std::string& device) { return device.rfind(kScheme, 0) == 0; }

std::shared_ptr<RemoteWorker> RemoteWorker::at(const std::string& url,
                                               std::chrono::milliseconds silence) {
  const auto [host, port] = parse(url);
  Place& place = place_of(url);
  const std::unique_lock<std::timed_mutex> turn = turn_at(place);
  if (std::shared_ptr<RemoteWorker> worker = place.worker.lock()) {
    const auto use = std::make_shared<Use>(std::move(worker));
    if (use->holds()) return {use, use->worker()};
  }
  rpc::Endpoint& endpoint = rpc::Endpoint::connect(url, host, port, silence);
  const std::shared_ptr<RemoteWorker> worker(new RemoteWorker(endpoint));
  place.worker = worker;
  const auto use = std::make_shared<Use>(worker);
  return {use, use->worker()};
}

RemoteWorker::RemoteWorker(rpc::Endpoint& endpoint)
    : endpoint_(endpoint), connection_(rpc::connect(endpoint)) {
  const uint32_t count = rpc::device_count(endpoint.name());
  if (count >= 1 && count <= kMostDevices) devices_ = rpc::devices(endpoint.name());
  if (devices_.size() != count || count == 0)
    endpoint.lose("it says a number of devices that is none");
  for (ggml_backend_dev_t device : devices_) {
    if (endpoint.lost()) break;
    const size_t alignment = ggml_backend_buft_get_alignment(ggml_backend_dev_buffer_type(device));
    const bool is_one =
        alignment > 0 && alignment <= kMostAlignment && (alignment & (alignment - 1)) == 0;
    if (!is_one) endpoint.lose("it says an alignment that is none");
  }
  if (endpoint.lost()) endpoint.throw_lost();
  endpoint.greeted();
  const std::lock_guard<std::mutex> lock(workers().of_devices);
  for (ggml_backend_dev_t device : devices_)
    workers().by_device[device] = this;
}

RemoteWorker::~RemoteWorker() {
  const std::lock_guard<std::mutex> lock(workers().of_devices);
  for (ggml_backend_dev_t device : devices_)
    workers().by_device.erase(device);
}

// It answers in turn.
void RemoteWorker::settle() const {
  if (endpoint_.lost()) endpoint_.throw_lost();
  size_t free = 0;
  size_t total = 0;
  ggml_backend_dev_memory(devices_.front(), &free, &total);
}

const RemoteWorker* RemoteWorker::of(ggml_backend_dev_t device) {
  const std::lock_guard<std::mutex> lock(workers().of_devices);
  const auto found = workers().by_device.find(device);
  return found == workers().by_device.end() ? nullptr : found->second;
}

std::string RemoteWorker::name_of(ggml_backend_dev_t device) const {
  if (devices_.size() == 1) return url();
  const auto found = std::find(devices_.begin(), devices_.end(), device);
  return url() + "#" + std::to_string(found - devices_.begin());
}

std::string shown_name(ggml_backend_dev_t device) {
  const RemoteWorker* worker = RemoteWorker::of(device);
  return worker == nullptr ? ggml_backend_dev_name(device) : worker->name_of(device);
}

}  // namespace cria
