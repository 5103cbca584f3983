#include "core/media/media_rows.h"

namespace cria {

namespace {

llama_pos position_of(const MediaChunk& chunk, int32_t row, llama_pos first, size_t dimension) {
  if (chunk.places.empty()) return first + row;
  const MediaChunk::Place& place = chunk.places[static_cast<size_t>(row)];
  return dimension < place.size() ? first + place[dimension] : 0;
}

}  // namespace

void MediaRows::set(const MediaChunk& chunk, int32_t from, int32_t count, llama_pos first,
                    llama_seq_id slot, bool output) {
  const auto rows = static_cast<size_t>(count);
  const size_t begin = static_cast<size_t>(from) * static_cast<size_t>(chunk.width);
  // llama_batch has no pointer to const. llama.cpp only reads.
  embeddings_ = const_cast<float*>(chunk.embeddings.data() + begin);
  slot_ = slot;
  slot_counts_.assign(rows, 1);
  slot_pointers_.assign(rows, &slot_);
  outputs_.assign(rows, 0);
  if (output) outputs_.back() = 1;
  positions_.clear();
  // One dimension behind the other.
  for (int32_t dimension = 0; dimension < chunk.dimensions; ++dimension)
    for (int32_t row = from; row < from + count; ++row)
      positions_.push_back(position_of(chunk, row, first, static_cast<size_t>(dimension)));
}

llama_batch MediaRows::view() {
  return llama_batch{static_cast<int32_t>(outputs_.size()),
                     nullptr,  // no tokens
                     embeddings_,
                     positions_.data(),
                     slot_counts_.data(),
                     slot_pointers_.data(),
                     outputs_.data()};
}

}  // namespace cria
