// A compiled chat template. A model file is a stranger's, and so is its template, which the engine
// would let recurse and loop for ever: here it runs on a stack of its own (save on Windows, where
// it has its caller's), within a time, and with the checks of template_checks.h. Memory is not
// limited: a text times a number, or one that is doubled again and again, may take all there is.
//
// Sees llama.cpp's common/, as do the other files of the seam; the rest of the core does not.
#pragma once

#include <chat.h>

#include <functional>
#include <string>

namespace cria::template_program {

// Runs what compiles, executes or frees a template. Whatever goes wrong there is ERR_TEMPLATE, with
// the template's own message.
void run(const std::function<void()>& work);

// To be called within run().
std::unique_ptr<common_chat_template> compile(const std::string& source, const std::string& bos,
                                              const std::string& eos);

}  // namespace cria::template_program
