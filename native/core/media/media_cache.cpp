#include "core/media/media_cache.h"

#include <utility>

#include "core/media/media_token.h"
#include "core/model/error.h"

namespace cria {

namespace {

// Forgetting a number costs an evaluation where its content comes again, nothing else.
constexpr size_t kMostNumbered = size_t{1} << 16;

}  // namespace

std::shared_ptr<const EncodedMedia> MediaCache::find(const std::string& key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->media;
}

void MediaCache::add(const std::string& key, std::shared_ptr<const EncodedMedia> media) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (by_key_.count(key) > 0) return;
  bytes_ += media->bytes;
  entries_.push_front({key, std::move(media)});
  by_key_.emplace(key, entries_.begin());
  while (bytes_ > most_bytes_ && !entries_.empty()) {
    bytes_ -= entries_.back().media->bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

int32_t MediaCache::ids(const std::string& key, int32_t chunks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = ids_.find(key);
  if (found != ids_.end()) return found->second;
  if (next_id_ > kMostMediaIds - chunks) {
    throw Error(code::kUnsupported,
                "This projector has seen more pictures and sounds than it can tell apart. Load the "
                "model anew.");
  }
  const int32_t first = next_id_;
  next_id_ += chunks;
  ids_.emplace(key, first);
  numbered_.push_back(key);
  if (numbered_.size() > kMostNumbered) {
    ids_.erase(numbered_.front());
    numbered_.pop_front();
  }
  return first;
}

}  // namespace cria
