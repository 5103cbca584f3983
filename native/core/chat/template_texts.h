// The engine's functions of texts whose time would grow with the square of what they are given, and
// which allocate nothing on the way, so that no budget is asked: done here in one pass each, or
// refused where that is not possible. Of the seam.
#pragma once

#include <jinja/value.h>

#include <string>

namespace cria::template_program {

// Whether `name` is a filter or method of texts that text_function() does in the engine's place:
// replace, strip, lstrip, rstrip, trim.
bool is_text_function(const std::string& name);

// `args`: the text first.
jinja::value text_function(const std::string& name, const jinja::func_args& args);

// Throws where to look for `needle` in `haystack` could take seconds: the engine's search is the
// plain one.
void check_search(size_t needle, size_t haystack);

}  // namespace cria::template_program
