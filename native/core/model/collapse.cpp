#include "core/model/collapse.h"

#include <cstring>

namespace cria {

std::atomic<bool> Collapse::any_{false};

void Collapse::fail(const char* code, const char* reason) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failed_.load(std::memory_order_relaxed)) return;
  code_ = code;
  std::strncpy(reason_.data(), reason, reason_.size() - 1);
  failed_.store(true, std::memory_order_release);
  any_.store(true, std::memory_order_release);
}

std::string Collapse::reason() const { return failed() ? reason_.data() : ""; }

void Collapse::enter() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++inside_;
}

void Collapse::leave() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  --inside_;
  changed_.notify_all();  // with the lock held: it may be gone a moment later
}

bool Collapse::wait_for_all(std::chrono::milliseconds patience) noexcept {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return inside_ == 0; });
}

}  // namespace cria
