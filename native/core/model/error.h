// Errors of the core. binding/errors.h turns them into JS errors.
#pragma once

#include <stdexcept>
#include <string>

namespace cria {

// Those codes of lib/internal/errors.ts that native code uses.
namespace code {
inline constexpr char kInvalidArgument[] = "ERR_INVALID_ARGUMENT";
inline constexpr char kDisposed[] = "ERR_DISPOSED";
inline constexpr char kModelInvalid[] = "ERR_MODEL_INVALID";
inline constexpr char kOutOfMemory[] = "ERR_OUT_OF_MEMORY";
inline constexpr char kUnsupported[] = "ERR_UNSUPPORTED";
inline constexpr char kUnsupportedCpu[] = "ERR_UNSUPPORTED_CPU";
inline constexpr char kContextFull[] = "ERR_CONTEXT_FULL";
inline constexpr char kDecodeFailed[] = "ERR_DECODE_FAILED";
inline constexpr char kDeviceLost[] = "ERR_DEVICE_LOST";
inline constexpr char kWorkerUnreachable[] = "ERR_WORKER_UNREACHABLE";
inline constexpr char kGrammarInvalid[] = "ERR_GRAMMAR_INVALID";
inline constexpr char kTemplate[] = "ERR_TEMPLATE";
inline constexpr char kStateInvalid[] = "ERR_STATE_INVALID";
inline constexpr char kMediaInvalid[] = "ERR_MEDIA_INVALID";
inline constexpr char kInternal[] = "ERR_INTERNAL";
}  // namespace code

// `code` is one of those above, which have one address in the whole program: it is kept, and may be
// compared, by pointer.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}

  const char* code() const noexcept { return code_; }

 private:
  const char* code_;
};

// A failure that is passed on as a value, not thrown.
struct Failure {
  std::string code;
  std::string message;
};

// In a catch block: what is being handled, whatever it is. `otherwise` is the code of an exception
// that brings none of its own. Throws std::bad_alloc where there is no memory for the words.
Failure current_failure(const char* otherwise = code::kInternal);

}  // namespace cria
