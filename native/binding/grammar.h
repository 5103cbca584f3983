// The part of the addon that makes grammars; typed in lib/native.ts.
#pragma once

#include <napi.h>

namespace cria::binding {

Napi::Value json_schema_to_grammar(const Napi::CallbackInfo& info);

}  // namespace cria::binding
