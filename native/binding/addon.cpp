// Everything that JS sees of the native side; typed in lib/internal/native.ts.
#include <napi.h>

#include "binding/arguments.h"
#include "binding/claims.h"
#include "binding/context.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/model.h"
#include "binding/rpc_server.h"
#include "binding/worker_devices.h"
#include "core/model/backend.h"
#include "core/model/cpu_level.h"

namespace cria::binding {

namespace {

Napi::Value engine_info(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Napi::Env env = info.Env();
    Napi::Object object = Napi::Object::New(env);
    object.Set("backend", CRIA_BACKEND);
    object.Set("llamaCpp", CRIA_LLAMA_CPP_VERSION);
    object.Set("cpuLevel", cpu_level().name);
    object.Set("cpuFeatures", from_texts(env, backend::cpu_features()));
    return object;
  });
}

Napi::Value list_devices(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    const Napi::Env env = info.Env();
    return from_devices(env, backend::devices());
  });
}

Napi::Value set_log_handler(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&] {
    Environment::of(info.Env()).set_log_handler(info[0]);
    return info.Env().Undefined();
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  return entry(env, [&] {
    backend::start();
    env.SetInstanceData(new Environment(env));  // Node deletes it with the environment
    exports.Set("Model", ModelHandle::define(env));
    exports.Set("Context", ContextHandle::define(env));
    exports.Set("engineInfo", Napi::Function::New(env, engine_info, "engineInfo"));
    exports.Set("listDevices", Napi::Function::New(env, list_devices, "listDevices"));
    exports.Set("setLogHandler", Napi::Function::New(env, set_log_handler, "setLogHandler"));
    define_claims(env, exports);
    define_rpc_server(env, exports);
    define_worker_devices(env, exports);
    return exports;
  });
}

}  // namespace

}  // namespace cria::binding

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  return cria::binding::init(env, exports);
}

NODE_API_MODULE(cria, init)
