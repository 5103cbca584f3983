// NativeRequest of lib/native.ts as the core's Request.
#pragma once

#include <napi.h>

#include <memory>

#include "core/request.h"

namespace cria::binding {

std::shared_ptr<Request> to_request(Napi::Value value);

}  // namespace cria::binding
