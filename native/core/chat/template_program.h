// A compiled chat template. A model file is a stranger's, and so is its template, which the engine
// would let recurse and loop for ever: here it runs on a stack of its own (save on Windows, where
// it has its caller's), within a budget of time and memory, and with the checks of
// template_checks.h.
//
// Sees llama.cpp's common/, as do the other files of the seam; the rest of the core does not.
#pragma once

#include <chat.h>

#include <functional>
#include <memory>
#include <string>

#include "core/model/work_budget.h"

namespace cria::template_program {

// Runs what compiles, executes or reads what is a template's. Whatever goes wrong there is
// ERR_TEMPLATE, with the template's own message; so is a budget that is spent.
void run(WorkBudget& budget, const std::function<void()>& work);

// Frees a template's tree, where there is a stack for that.
void release(const std::function<void()>& work);

// To be called within run().
std::unique_ptr<common_chat_template> compile(const std::string& source, const std::string& bos,
                                              const std::string& eos);

}  // namespace cria::template_program
