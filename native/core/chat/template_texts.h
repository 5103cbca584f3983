// The engine's functions of texts that take quadratic time without allocating, so that no budget
// would stop them: implemented here in one pass, or refused if that is not possible.
#pragma once

#include <jinja/value.h>

#include <string>

namespace cria::template_program {

// Whether text_function() implements this filter or method: replace, strip, lstrip, rstrip, trim.
bool is_text_function(const std::string& name);

// `args`: the text comes first.
jinja::value text_function(const std::string& name, const jinja::func_args& args);

// Throws if searching for `needle` in `haystack` could take seconds: the engine's search is a naive
// one.
void check_search(size_t needle, size_t haystack);

}  // namespace cria::template_program
