// What a context counts while it works. Any thread may read it.
#pragma once

#include <atomic>
#include <cstdint>

namespace cria {

struct Counters {
  std::atomic<int32_t> active{0};
  std::atomic<int64_t> cached_tokens{0};
  std::atomic<int64_t> decoded_tokens{0};
  std::atomic<int64_t> batches{0};
};

}  // namespace cria
