// Reads NativeRequest and NativeCommand of lib/internal/native.ts, with their sampler steps.
#pragma once

#include <napi.h>

#include <memory>

#include "core/request/command.h"
#include "core/request/request.h"

namespace cria::binding {

Media to_media(Napi::Value value);
std::shared_ptr<Request> to_request(Napi::Value value);
std::shared_ptr<Command> to_command(Napi::Value id, Napi::Value value);

}  // namespace cria::binding
