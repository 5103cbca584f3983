// What NativeModel does with chat templates, as declared in lib/internal/native.ts.
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

// The same as jobs, and the other uses of templates. The request is read at once, on the JS thread.
// `templates` belong to the lane.
ModelWork::Job render_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value request);
ModelWork::Job format_job(std::shared_ptr<Model> model, std::shared_ptr<ChatTemplates> templates,
                          Napi::Value request);
// Parses the text of an answer in a format that format_job() made.
ModelWork::Job answer_job(Napi::Value text, Napi::Value format);

}  // namespace cria::binding
