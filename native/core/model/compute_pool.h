// A pool of ggml's that lives as long as its context (otherwise ggml starts threads anew for every
// graph), on threads of ours: all are started before ggml gets the first, so that there is no pool
// with half of them, and they end where an assertion of ggml has failed on any thread of the
// context, instead of waiting for it at a barrier for ever.
#pragma once

#include <ggml-cpu.h>

#include <memory>

#include "core/model/collapse.h"

namespace cria {

class ComputePool {
 public:
  // `threads` with the one that computes graphs with it. Throws ERR_OUT_OF_MEMORY where the system
  // does not start them; then none is left.
  ComputePool(int32_t threads, const std::shared_ptr<Collapse>& collapse);

  // Joins: at once, unless a graph is being computed.
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  ggml_threadpool* handle() const { return pool_; }

  // For a pool whose threads do not come back: nothing is joined or freed any more.
  void abandon() { pool_ = nullptr; }

 private:
  ggml_threadpool* pool_ = nullptr;
};

// Takes ggml's hooks over. Once, before the first pool.
void install_compute_hooks();

}  // namespace cria
