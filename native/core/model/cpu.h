// What the machine offers for threads.
#pragma once

#include <cstdint>

namespace cria {

// Physical cores that this process may run on, at least 1. Two threads on one core only get in
// each other's way in what llama.cpp does.
int32_t physical_cores();

}  // namespace cria
