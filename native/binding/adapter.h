// NativeAdapter of lib/internal/native.ts: a LoRA adapter that JS holds.
#pragma once

#include <napi.h>

#include <memory>
#include <string>

#include "binding/model_work.h"
#include "core/adapters/adapter_set.h"
#include "core/model/model.h"

namespace cria::binding {

// Makes a NativeAdapterInfo.
ModelWork::Job load_adapter_job(std::shared_ptr<Model> model, std::string path);

// Gives its memory back once no request uses it. Idempotent.
void release_adapter(Napi::Env env, Napi::Value adapter);

// The field `adapters` of requests and commands. Throws ERR_DISPOSED for one that was released.
AdapterSetPtr to_adapters(Napi::Value value);

}  // namespace cria::binding
