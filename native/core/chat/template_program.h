// A compiled chat template. Model files are untrusted, and so are their templates, which the engine
// would let recurse and loop for ever. Here they run on a deep stack (on Windows on their
// caller's), within a budget of time and memory, and with the checks of template_checks.h.
//
// Of the core only core/chat sees llama.cpp's common/.
#pragma once

#include <chat.h>

#include <functional>
#include <memory>
#include <string>

#include "core/model/work_budget.h"

namespace cria::template_program {

// Runs work that compiles or executes a template, or parses its model's answers. Whatever fails is
// ERR_TEMPLATE with the template's own message; so is a spent budget.
void run(WorkBudget& budget, const std::function<void()>& work);

// Frees a template's tree, on a deep stack.
void release(const std::function<void()>& work);

// To be called within run().
std::unique_ptr<common_chat_template> compile(const std::string& source, const std::string& bos,
                                              const std::string& eos);

}  // namespace cria::template_program
