// Checks that the engine's functions, filters and tests lack, and marks of a user's text that they
// lose.
#pragma once

#include <jinja/runtime.h>

#include <string>

namespace cria::template_program {

void check_range(const jinja::func_args& args);
void check_append(const jinja::value& array, const jinja::func_args& args);
// The arguments of namespace().
void check_held(const jinja::func_args& args);

// `args`: the object of the function comes first.
void check_function(const std::string& name, const jinja::func_args& args);

// The engine forgets that the pieces of a user's text are a user's, too, and so is what they are
// joined to.
void mark_pieces(const jinja::value& text, const jinja::value& pieces);
void mark_joined(const jinja::value& pieces, const jinja::value& text);

// The name of a filter or a test; empty if it has none.
std::string name_of(const jinja::statement* filter);

// For `text | filter`, and for the block of a filter statement; null: the engine's own is fine.
void check_filtered(jinja::filter_expression& expression);
jinja::statement_ptr checked_block(jinja::filter_statement& block);

}  // namespace cria::template_program
