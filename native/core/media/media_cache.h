// What was encoded lately, by content, and the numbers that stand for contents. A number outlives
// its embeddings, so that a prefix of a context's cache is found by it after they are gone. Any
// thread.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/media/media_chunk.h"

namespace cria {

class MediaCache {
 public:
  // `most_bytes`: of embeddings that nobody else holds any more.
  explicit MediaCache(size_t most_bytes) : most_bytes_(most_bytes) {}

  // Null if it is not here.
  std::shared_ptr<const EncodedMedia> find(const std::string& key);
  void add(const std::string& key, std::shared_ptr<const EncodedMedia> media);

  // The number of the first of the content's `chunks`; those of the others follow.
  int32_t ids(const std::string& key, int32_t chunks);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const EncodedMedia> media;
  };
  using Entries = std::list<Entry>;  // the last used first

  const size_t most_bytes_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> by_key_;
  size_t bytes_ = 0;
  std::unordered_map<std::string, int32_t> ids_;
  std::deque<std::string> numbered_;  // the oldest first
  int32_t next_id_ = 0;
};

}  // namespace cria
