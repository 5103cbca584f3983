// What NativeModel and the addon do with chat templates, as lib/internal/native.ts has it.
#pragma once

#include <napi.h>

#include <memory>

#include "binding/model_work.h"
#include "core/chat/chat_template.h"
#include "core/model/model.h"
#include "core/model/vocabulary.h"

namespace cria::binding {

Napi::Value render_template(Napi::Env env, ChatTemplates& templates, const Vocabulary& vocabulary,
                            Napi::Value request);

// The same as work, and the rest of what templates are for: what is read of the request is read at
// once. `templates` is the lane's own.
ModelWork::Job render_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value request);
ModelWork::Job format_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value request);
// An answer's text and the format that it was asked for in.
ModelWork::Job answer_job(Napi::Value text, Napi::Value format);

}  // namespace cria::binding
