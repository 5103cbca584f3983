// Devices that ggml takes for GPUs: with memory of their own, as much as a test gives them, of
// which every byte is counted. They compute on the CPU.
#pragma once

#include <ggml-backend-impl.h>
#include <ggml-backend.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>

#include "harness.h"

namespace fake {

class Gpu {
 public:
  explicit Gpu(const char* name) : name_(name) {
    buffer_type_.iface.get_name = [](ggml_backend_buffer_type_t type) {
      return of(type)->name_.c_str();
    };
    buffer_type_.iface.alloc_buffer = [](ggml_backend_buffer_type_t type, size_t size) {
      return of(type)->allocate(size);
    };
    buffer_type_.iface.get_alignment = [](ggml_backend_buffer_type_t) {
      return ggml_backend_buft_get_alignment(ggml_backend_cpu_buffer_type());
    };
    buffer_type_.device = &device_;
    buffer_type_.context = this;

    device_.iface.get_name = [](ggml_backend_dev_t device) { return of(device)->name_.c_str(); };
    device_.iface.get_description = device_.iface.get_name;
    device_.iface.get_memory = [](ggml_backend_dev_t device, size_t* free, size_t* total) {
      *total = of(device)->capacity;
      *free = of(device)->free();
    };
    device_.iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; };
    device_.iface.get_props = [](ggml_backend_dev_t device, ggml_backend_dev_props* props) {
      *props = {};
      props->name = ggml_backend_dev_name(device);
      props->description = props->name;
      props->type = GGML_BACKEND_DEVICE_TYPE_GPU;
      ggml_backend_dev_memory(device, &props->memory_free, &props->memory_total);
    };
    device_.iface.init_backend = [](ggml_backend_dev_t device, const char*) {
      ggml_backend_t backend = ggml_backend_dev_init(cpu(), nullptr);
      backend->device = device;
      return backend;
    };
    device_.iface.get_buffer_type = [](ggml_backend_dev_t device) {
      return &of(device)->buffer_type_;
    };
    device_.iface.supports_op = [](ggml_backend_dev_t device, const ggml_tensor* op) {
      return of(device)->computes(op);
    };
    device_.iface.supports_buft = [](ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
      return type == &of(device)->buffer_type_;
    };
    device_.reg = &registry_;
    device_.context = this;

    registry_.api_version = GGML_BACKEND_API_VERSION;
    registry_.iface.get_name = [](ggml_backend_reg_t) { return "fake"; };
    registry_.iface.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; };
    registry_.iface.get_device = [](ggml_backend_reg_t registry, size_t) {
      return &static_cast<Gpu*>(registry->context)->device_;
    };
    registry_.iface.get_proc_address = [](ggml_backend_reg_t, const char* function) -> void* {
      if (std::strcmp(function, "ggml_backend_set_n_threads") != 0) return nullptr;
      return ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu()), function);
    };
    registry_.context = this;
    ggml_backend_register(&registry_);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const std::string& name() const { return name_; }
  // What is allocated on it now.
  uint64_t allocated() const { return allocated_; }

  std::atomic<uint64_t> capacity{1};  // until a test gives it some

 private:
  static Gpu* of(ggml_backend_buffer_type_t type) { return static_cast<Gpu*>(type->context); }
  static Gpu* of(ggml_backend_dev_t device) { return static_cast<Gpu*>(device->context); }

  static ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

  uint64_t free() const { return capacity > allocated_ ? capacity - allocated_ : 0; }

  ggml_backend_buffer_t allocate(size_t size) {
    if (size > free()) return nullptr;
    ggml_backend_buffer_t buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (buffer == nullptr) return nullptr;
    static const auto give_back = buffer->iface.free_buffer;
    buffer->buft = &buffer_type_;
    buffer->iface.free_buffer = [](ggml_backend_buffer_t freed) {
      of(freed->buft)->allocated_ -= freed->size;
      give_back(freed);
    };
    buffer->size = size;
    allocated_ += size;
    return buffer;
  }

  // As a real one, it cannot read what is packed for the CPU.
  bool computes(const ggml_tensor* op) const {
    for (const ggml_tensor* source : op->src) {
      if (source == nullptr || source->buffer == nullptr) continue;
      ggml_backend_buffer_type_t type = ggml_backend_buffer_get_type(source->buffer);
      if (!ggml_backend_buft_is_host(type) && ggml_backend_buft_get_device(type) == cpu()) {
        return false;
      }
    }
    return ggml_backend_dev_supports_op(cpu(), op);
  }

  const std::string name_;
  std::atomic<uint64_t> allocated_{0};
  ggml_backend_buffer_type buffer_type_{};
  ggml_backend_device device_{};
  ggml_backend_reg registry_{};
};

// Registered for as long as the process lives.
inline Gpu& gpu(int index) {
  static Gpu first("GPU0");
  static Gpu second("GPU1");
  return index == 0 ? first : second;
}

}  // namespace fake
