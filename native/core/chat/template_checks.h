// Puts checks into the tree of a template, so that it terminates, and so that a user's text is
// still marked as such in the output. The engine tracks that by itself except where it splits and
// joins texts. Not covered: replace and indent of a text that is partly the template's own, where
// two neighbouring texts could still form a token.
#pragma once

#include <jinja/runtime.h>

namespace cria::template_program {

void add_checks(jinja::program& program);

// For the checks, within a run(): throw if the template has exceeded its limits.
void check_budget();
void spend_append();

}  // namespace cria::template_program
