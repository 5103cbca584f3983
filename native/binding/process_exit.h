// What of ours happens when the process exits.
#pragma once

namespace cria::binding {

// Has `handler` called once when the process exits, by exit(), on the thread that does.
//
// It is all that happens then: the destructors of static objects, ggml's and llama.cpp's among
// them, never run (on Linux exit() would run them while threads of ours may still compute; the
// system takes the memory back anyway), and the library is never unloaded.
bool at_process_exit(void (*handler)(void*));

}  // namespace cria::binding
