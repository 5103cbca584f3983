// How many threads are worth it on this machine.
#pragma once

#include <cstdint>

namespace cria {

// Physical cores that this process may run on, at least 1. For llama.cpp's work two threads on one
// core only get in each other's way.
int32_t physical_cores();

}  // namespace cria
