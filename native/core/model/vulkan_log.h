/* Included in front of ggml-vulkan's files (see CMakeLists.txt), which write to std::cerr what they
   could not do. With it that goes to ggml's log: the library prints nothing, and the error that
   follows knows the cause. */
#pragma once

#include <ggml.h>

#include <iostream>
#include <sstream>
#include <string>
#include <utility>

extern "C" void ggml_log_internal(enum ggml_log_level level, const char* format, ...);

namespace cria {

/* What one statement writes, logged at the statement's end. */
class VulkanLogLine : public std::ostringstream {
 public:
  VulkanLogLine() = default;
  ~VulkanLogLine() override {
    std::string text = str();
    if (text.empty()) return;
    const bool warning = text.find("WARNING") != std::string::npos;
    if (text.back() != '\n') text += '\n';
    ggml_log_internal(warning ? GGML_LOG_LEVEL_WARN : GGML_LOG_LEVEL_ERROR, "%s", text.c_str());
  }
  VulkanLogLine(const VulkanLogLine&) = delete;
  VulkanLogLine& operator=(const VulkanLogLine&) = delete;
};

}  // namespace cria

/* In ggml it always stands behind `std::`. */
#define cerr move(cria::VulkanLogLine())
