// A graph of ggml's on the CPU, for the tests of its kernels, and numbers to put into it.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "ggml-backend.h"
#include "ggml.h"
#include "harness.h"

using Numbers = std::vector<float>;

inline Numbers some(std::mt19937& random, int64_t count) {
  std::normal_distribution<float> normal;
  Numbers numbers(static_cast<size_t>(count));
  for (float& number : numbers)
    number = normal(random);
  return numbers;
}

inline ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

// A function of the CPU's backend that no header declares.
template <class Function>
Function cpu_function(const char* name) {
  return reinterpret_cast<Function>(
      ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu()), name));
}

class CpuGraph {
 public:
  explicit CpuGraph(int threads)
      : backend_(ggml_backend_dev_init(cpu(), nullptr)),
        context_(ggml_init({ggml_tensor_overhead() * 32 + ggml_graph_overhead(), nullptr, true})) {
    cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(backend_, threads);
  }
  ~CpuGraph() {
    ggml_backend_buffer_free(buffer_);
    ggml_free(context_);
    ggml_backend_free(backend_);
  }
  CpuGraph(const CpuGraph&) = delete;
  CpuGraph& operator=(const CpuGraph&) = delete;

  ggml_context* context() const { return context_; }

  // Once all tensors are made, and before they are set.
  void end_with(ggml_tensor* result) {
    result_ = result;
    graph_ = ggml_new_graph(context_);
    ggml_build_forward_expand(graph_, result);
    buffer_ = ggml_backend_alloc_ctx_tensors(context_, backend_);
  }

  static void set(ggml_tensor* to, const void* from) {
    ggml_backend_tensor_set(to, from, 0, ggml_nbytes(to));
  }

  Numbers compute() const {
    CHECK(ggml_backend_graph_compute(backend_, graph_) == GGML_STATUS_SUCCESS);
    Numbers out(static_cast<size_t>(ggml_nelements(result_)));
    ggml_backend_tensor_get(result_, out.data(), 0, ggml_nbytes(result_));
    return out;
  }

 private:
  ggml_backend_t backend_;
  ggml_context* context_;
  ggml_tensor* result_ = nullptr;
  ggml_cgraph* graph_ = nullptr;
  ggml_backend_buffer_t buffer_ = nullptr;
};
