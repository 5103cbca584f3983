// What is put into the tree of a template, so that it ends and so that a user's text is known as
// one in what is written. The engine keeps track of that by itself, save where it takes texts apart
// and joins them. What is left to it: replace and indent of a text that is partly the template's
// own, where a token could still be put together of pieces of two texts side by side. Of the seam.
#pragma once

#include <jinja/runtime.h>

namespace cria::template_program {

void add_checks(jinja::program& program);

// What the checks ask, of the run() that is going on: they throw where the template has had enough.
void check_budget();
void spend_append();

}  // namespace cria::template_program
