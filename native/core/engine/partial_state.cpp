#include "core/engine/partial_state.h"

#include <new>

namespace cria {

namespace {

constexpr llama_state_seq_flags kPartial = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;

}  // namespace

std::vector<uint8_t> partial_state(llama_context* context, llama_seq_id sequence) {
  try {
    std::vector<uint8_t> state(llama_state_seq_get_size_ext(context, sequence, kPartial));
    const size_t written =
        llama_state_seq_get_data_ext(context, state.data(), state.size(), sequence, kPartial);
    if (written != state.size()) return {};
    return state;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

bool put_partial_state(llama_context* context, llama_seq_id sequence,
                       const std::vector<uint8_t>& state) {
  return !state.empty() && llama_state_seq_set_data_ext(context, state.data(), state.size(),
                                                        sequence, kPartial) == state.size();
}

}  // namespace cria
