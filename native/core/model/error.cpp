#include "core/model/error.h"

#include <exception>
#include <new>
#include <string_view>
#include <system_error>

namespace cria {

namespace {

// Results of Vulkan, as its C++ header throws them in a category of this name. By name and number,
// so that no header of it is needed in a build without.
constexpr std::string_view kVulkan = "vk::Result";
constexpr int kOutOfHostMemory = -1;
constexpr int kOutOfDeviceMemory = -2;
constexpr int kDeviceLost = -4;

Failure vulkan_failure(const std::system_error& error, const char* otherwise) {
  switch (error.code().value()) {
    case kOutOfHostMemory:
    case kOutOfDeviceMemory:
      return {code::kOutOfMemory,
              std::string("The GPU's memory is exhausted: ") + error.what() + "."};
    case kDeviceLost:
      return {code::kDeviceLost,
              std::string("The GPU stopped working (its driver says: ") + error.what() +
                  "). This process can no longer use it: start it again, or use the CPU."};
    default:
      return {otherwise, std::string("The GPU's driver failed: ") + error.what() + "."};
  }
}

}  // namespace

Failure current_failure(const char* otherwise) {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {code::kOutOfMemory, "Not enough memory."};
  } catch (const std::system_error& error) {
    const std::error_code& why = error.code();
    if (why.category().name() == kVulkan) return vulkan_failure(error, otherwise);
    const bool scarce = why == std::errc::resource_unavailable_try_again ||
                        why == std::errc::not_enough_memory ||
                        why == std::errc::too_many_files_open;
    return {scarce ? code::kOutOfMemory : otherwise,
            std::string("The system refused a resource that this needs: ") + error.what() + "."};
  } catch (const std::exception& error) {
    return {otherwise, error.what()};
  } catch (...) {
    return {otherwise, "An exception of an unknown kind."};
  }
}

}  // namespace cria
