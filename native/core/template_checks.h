// What is put into the tree of a template, so that it ends and so that a user's text stays one. Of
// the seam.
#pragma once

#include <jinja/runtime.h>

namespace cria::template_program {

void add_checks(jinja::program& program);

// What the checks ask, of the run() that is going on: they throw where the template has had enough.
void check_budget();
void spend_append();

}  // namespace cria::template_program
