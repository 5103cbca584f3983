// Decides what runs when the process exits.
#pragma once

namespace cria::binding {

// Has exit() call `handler` once, on the thread that calls exit(). Not on Windows, which ends all
// other threads before it tells a library of the exit.
//
// Nothing else of this library runs then. The destructors of static objects, those of ggml and
// llama.cpp included, never run: on Linux exit() would run them while threads of ours may still
// compute, and the system frees the memory anyway. The library is never unloaded.
bool at_process_exit(void (*handler)(void*));

}  // namespace cria::binding
