// What the engine's functions, filters and tests do not look at before they go on, and what they
// forget of whose a text is. Of the seam.
#pragma once

#include <jinja/runtime.h>

#include <string>

namespace cria::template_program {

void check_range(const jinja::func_args& args);
void check_append(const jinja::value& array, const jinja::func_args& args);
// What a namespace() is made to hold.
void check_held(const jinja::func_args& args);

// `args`: what the function is of first.
void check_function(const std::string& name, const jinja::func_args& args);

// The engine forgets that the pieces of a user's text are a user's, too, and what is joined of
// them.
void mark_pieces(const jinja::value& text, const jinja::value& pieces);
void mark_joined(const jinja::value& pieces, const jinja::value& text);

// Of a filter or a test; empty where it has none.
std::string name_of(const jinja::statement* filter);

// `text | filter`, and the block that a filter is for; null: the engine's own will do.
void check_filtered(jinja::filter_expression& expression);
jinja::statement_ptr checked_block(jinja::filter_statement& block);

}  // namespace cria::template_program
