// A threadpool of ggml that lives as long as its context (without one ggml starts threads for every
// graph). Its threads are ours. All are started before ggml gets the first, so that a pool never
// has only some of them. And when an assertion of ggml has failed on any thread of the context,
// they end instead of waiting at a barrier for ever.
#pragma once

#include <ggml-cpu.h>

#include <memory>

#include "core/model/collapse.h"

namespace cria {

class ComputePool {
 public:
  // `threads` counts the caller's own, which computes with the pool. Throws ERR_OUT_OF_MEMORY if
  // the system does not start them all; none is left then.
  ComputePool(int32_t threads, const std::shared_ptr<Collapse>& collapse);

  // Joins the threads: at once, unless a graph is being computed.
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  ggml_threadpool* handle() const { return pool_; }

  // For a pool whose threads will not come back: the destructor then joins and frees nothing.
  void abandon() { pool_ = nullptr; }

 private:
  ggml_threadpool* pool_ = nullptr;
};

// While it lives, the threads that ggml starts on this one for a single graph, where a backend has
// no pool, belong to `collapse`: a failed assertion on one of them ends them, not the process.
class GraphThreads {
 public:
  explicit GraphThreads(std::shared_ptr<Collapse> collapse);
  ~GraphThreads();
  GraphThreads(const GraphThreads&) = delete;
  GraphThreads& operator=(const GraphThreads&) = delete;

 private:
  const std::shared_ptr<Collapse> collapse_;
};

// Installs our functions as ggml's hooks. Once, before the first pool.
void install_compute_hooks();

}  // namespace cria
