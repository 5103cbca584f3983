// What llama.cpp calls the partial state of a sequence: all of its memory that cannot be cut back,
// and nothing else. The context's thread only.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

// The cells of a window come as they lie, and are put back one behind the other: sums over them are
// added up in another order than before. Empty: there is no memory for it.
std::vector<uint8_t> partial_state(llama_context* context, llama_seq_id sequence);

// False: llama.cpp did not take it, and what the sequence has is of no use.
bool put_partial_state(llama_context* context, llama_seq_id sequence,
                       const std::vector<uint8_t>& state);

}  // namespace cria
