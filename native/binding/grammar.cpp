#include "grammar.h"

#include "binding/arguments.h"
#include "binding/errors.h"
#include "core/grammar.h"

namespace cria::binding {

Napi::Value json_schema_to_grammar(const Napi::CallbackInfo& info) {
  return entry(info.Env(), [&]() -> Napi::Value {
    const std::string schema = to_text(info[0], "schema");
    const grammar::Rules rules = grammar::from_json_schema(schema);
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("source", rules.source);
    object.Set("root", rules.root);
    return object;
  });
}

}  // namespace cria::binding
