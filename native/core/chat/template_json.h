// JSON text of values with fractions, as Python's json writes them. The engine's own has six digits
// of each.
#pragma once

#include <jinja/runtime.h>

namespace cria::template_program {

// Whether the filter or the function `name` has to be json_text() for these arguments, of which the
// value is the first. To be asked once ValueCheck has let it pass.
bool writes_fractions(const std::string& name, const jinja::func_args& args);

// What `tojson` gives for such arguments.
jinja::value json_text(const jinja::func_args& args);

// A value of which the engine's `tojson` and `string` make this text.
jinja::value standing_for(const jinja::value& text);

}  // namespace cria::template_program
