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

// An answer that is read while it is written, as an opaque value.
Napi::Value open_answer(Napi::Env env, Napi::Value grammar);
// Its next piece, or its end.
ModelWork::Job answer_job(Napi::Value answer, Napi::Value text);
ModelWork::Job answer_end_job(Napi::Value answer, Napi::Value cut_off);

}  // namespace cria::binding
