#include "core/engine/partial_state.h"

#include <new>

#include "core/model/rpc_endpoint.h"

namespace cria {

namespace {

constexpr llama_state_seq_flags kPartial = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;

}  // namespace

std::vector<uint8_t> partial_state(llama_context* context, llama_seq_id sequence) {
  try {
    std::vector<uint8_t> state(llama_state_seq_get_size_ext(context, sequence, kPartial));
    size_t written = 0;
    {
      const rpc::LostQuietly quietly;
      written =
          llama_state_seq_get_data_ext(context, state.data(), state.size(), sequence, kPartial);
    }
    rpc::throw_if_lost();
    if (written != state.size()) return {};
    return state;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

bool put_partial_state(llama_context* context, llama_seq_id sequence,
                       const std::vector<uint8_t>& state) {
  if (state.empty()) return false;
  size_t read = 0;
  {
    const rpc::LostQuietly quietly;
    read = llama_state_seq_set_data_ext(context, state.data(), state.size(), sequence, kPartial);
  }
  rpc::throw_if_lost();
  return read == state.size();
}

}  // namespace cria
