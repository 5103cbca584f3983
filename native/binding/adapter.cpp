#include "binding/adapter.h"

#include <utility>
#include <vector>

#include "binding/arguments.h"

namespace cria::binding {

namespace {

constexpr napi_type_tag kAdapterTag = {0x63726961'6c6f7261, 0x9e3779b97f4a7c16};

// What JS holds; empty after its release.
struct Held {
  std::shared_ptr<const LoraAdapter> adapter;
};

void let_go(Napi::Env env, Held& held) {
  if (!held.adapter) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(held.adapter->bytes()));
  held.adapter.reset();
}

Held& to_held(Napi::Value value) {
  if (!value.IsExternal() || !value.As<Napi::External<Held>>().CheckTypeTag(&kAdapterTag)) {
    throw Error(code::kInvalidArgument, "Expected a NativeAdapter.");
  }
  return *value.As<Napi::External<Held>>().Data();
}

Napi::Value from_adapter(Napi::Env env, const std::shared_ptr<const LoraAdapter>& adapter) {
  auto held = std::make_unique<Held>(Held{adapter});
  auto external = Napi::External<Held>::New(env, held.get(), [](Napi::Env given, Held* last) {
    let_go(given, *last);
    delete last;
  });
  held.release();
  external.TypeTag(&kAdapterTag);
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(adapter->bytes()));
  Napi::Object info = Napi::Object::New(env);
  info.Set("adapter", external);
  info.Set("fingerprint", adapter->fingerprint());
  info.Set("sizeInBytes", static_cast<double>(adapter->bytes()));
  info.Set("invocation", from_tokens(env, adapter->invocation()));
  return info;
}

}  // namespace

ModelWork::Job load_adapter_job(std::shared_ptr<Model> model, std::string path) {
  return [model = std::move(model), path = std::move(path)](const ModelWork::Stop& stop) {
    const auto adapter = LoraAdapter::load(model, path, [&] { return !stop.load(); });
    return [adapter](Napi::Env env) { return from_adapter(env, adapter); };
  };
}

void release_adapter(Napi::Env env, Napi::Value adapter) { let_go(env, to_held(adapter)); }

AdapterSetPtr to_adapters(Napi::Value value) {
  const Napi::Array array = to_array(value, "adapters");
  if (array.Length() == 0) return no_adapters();
  std::vector<AdapterSet::Part> parts;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Fields fields(to_object(array.Get(i), "adapters"));
    const Held& held = to_held(fields.value("adapter"));
    if (!held.adapter) throw Error(code::kDisposed, "An adapter of the request is disposed.");
    parts.push_back({held.adapter, fields.real("scale")});
  }
  return std::make_shared<const AdapterSet>(std::move(parts));
}

}  // namespace cria::binding
