// What a worker on another machine has, asked off the JS thread.
#pragma once

#include <napi.h>

namespace cria::binding {

// listWorkerDevices(url): Promise<NativeDevice[]>, as in lib/internal/native.ts.
void define_worker_devices(Napi::Env env, Napi::Object exports);

}  // namespace cria::binding
