// What NativeModel and the addon do with chat templates, as lib/native.ts has it.
#pragma once

#include <napi.h>

#include "core/chat_template.h"
#include "core/vocabulary.h"

namespace cria::binding {

Napi::Value render_template(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value request);
Napi::Value template_format(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value request);
Napi::Value parse_template_answer(const Napi::CallbackInfo& info);

}  // namespace cria::binding
