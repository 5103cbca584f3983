#include "core/model/error.h"

#include <exception>
#include <new>
#include <system_error>

namespace cria {

Failure current_failure(const char* otherwise) {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {code::kOutOfMemory, "Not enough memory."};
  } catch (const std::system_error& error) {
    const std::error_code& why = error.code();
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
