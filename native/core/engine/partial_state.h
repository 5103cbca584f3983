// What llama.cpp calls the partial state of a sequence: all of its memory that cannot be cut back,
// and nothing else. The context's thread only.
#pragma once

#include <llama.h>

#include <cstdint>
#include <vector>

namespace cria {

// `window`: the cells of a sliding window are in it, and come in the order of their positions.
// llama.cpp has them as they lie, which is another order once the window has gone round its cells,
// and puts them back as they come: from then on it would fill cells out of turn and leave holes,
// and a prompt that is evaluated in this place later would have its sums in another order than
// elsewhere. Empty: there is no memory for it.
std::vector<uint8_t> partial_state(llama_context* context, llama_seq_id sequence, bool window);

// False: llama.cpp did not take it, and what the sequence has is of no use.
bool put_partial_state(llama_context* context, llama_seq_id sequence,
                       const std::vector<uint8_t>& state);

}  // namespace cria
