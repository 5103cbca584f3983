#include "core/media/encoding.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "core/media/media_file.h"
#include "core/media/picture.h"
#include "core/media/sound.h"
#include "core/model/backend.h"
#include "core/model/error.h"

namespace cria {

namespace {

bool is_text(const mtmd_input_chunk* chunk) {
  return mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT;
}

// mtmd looks up by their texts the tokens that the projector's kind wants, and takes -1 for those
// that the model has not.
Tokens tokens_of(const mtmd_input_chunk* chunk, const llama_model* model) {
  const int32_t size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  size_t count = 0;
  const llama_token* given = mtmd_input_chunk_get_tokens_text(chunk, &count);
  const Tokens tokens(given, given + count);
  for (const llama_token token : tokens) {
    if (token >= 0 && token < size) continue;
    throw Error(code::kUnsupported,
                "The model's vocabulary lacks tokens that its projector wants around pictures or "
                "sounds: they do not belong together.");
  }
  return tokens;
}

std::vector<MediaChunk::Place> places_of(const mtmd_input_chunk* chunk, int32_t rows) {
  std::vector<MediaChunk::Place> places;
  const mtmd_image_tokens* image = mtmd_input_chunk_get_tokens_image(chunk);
  if (image == nullptr) return places;
  for (int32_t row = 0; row < rows; ++row) {
    const mtmd_decoder_pos place =
        mtmd_image_tokens_get_decoder_pos(image, 0, static_cast<size_t>(row));
    places.push_back({static_cast<llama_pos>(place.t), static_cast<llama_pos>(place.y),
                      static_cast<llama_pos>(place.x)});
  }
  return places;
}

}  // namespace

mtmd::bitmap MediaEncoding::bitmap_of(MediaKind kind, const std::vector<uint8_t>& bytes,
                                      const GoesOn& goes_on) const {
  if (kind == MediaKind::kImage) {
    const Picture picture = decode_picture(bytes);
    return mtmd::bitmap(static_cast<uint32_t>(picture.width), static_cast<uint32_t>(picture.height),
                        picture.rgb.data());
  }
  const std::vector<float> samples =
      decode_sound(bytes, mtmd_get_audio_sample_rate(context_), goes_on);
  if (samples.empty()) return {nullptr};
  return {mtmd_bitmap_init_from_audio(samples.size(), samples.data())};
}

bool MediaEncoding::prepare(MediaKind kind, const std::vector<uint8_t>& bytes,
                            const GoesOn& goes_on) {
  kind_ = kind;
  const mtmd::bitmap bitmap = bitmap_of(kind, bytes, goes_on);
  if (!bitmap.ptr || !goes_on()) return false;
  // An assertion here is about this picture or sound, and leaves nothing behind.
  const backend::AbortGuard guard;
  const backend::ErrorCapture errors;
  const mtmd_input_part part{nullptr, bitmap.ptr.get()};
  const mtmd_input_part* const parts[] = {&part};
  list_.reset(mtmd_input_chunks_init());
  if (mtmd_tokenize_from_parts(context_, list_.get(), parts, 1, /*add_special=*/false) != 0) {
    refuse_media(kind, "mtmd cannot prepare it (" + errors.reason("without a reason") + ")");
  }
  return goes_on();
}

int32_t MediaEncoding::chunks() const {
  int32_t count = 0;
  for (size_t i = 0; i < mtmd_input_chunks_size(list_.get()); ++i)
    count += is_text(mtmd_input_chunks_get(list_.get(), i)) ? 0 : 1;
  return count;
}

MediaExtent MediaEncoding::extent() const {
  MediaExtent extent;
  for (size_t i = 0; i < mtmd_input_chunks_size(list_.get()); ++i) {
    const mtmd_input_chunk* chunk = mtmd_input_chunks_get(list_.get(), i);
    const size_t rows = mtmd_input_chunk_get_n_tokens(chunk);
    extent.rows += rows;
    if (!is_text(chunk) && mtmd_decode_use_non_causal(context_, chunk)) {
      extent.together = std::max(extent.together, rows);
    }
  }
  return extent;
}

std::shared_ptr<MediaChunk> MediaEncoding::chunk_of(const mtmd_input_chunk* chunk,
                                                    const float* embeddings) const {
  auto made = std::make_shared<MediaChunk>();
  made->rows = static_cast<int32_t>(mtmd_input_chunk_get_n_tokens(chunk));
  made->positions = mtmd_input_chunk_get_n_pos(chunk);
  made->non_causal = mtmd_decode_use_non_causal(context_, chunk);
  made->width = llama_model_n_embd_inp(model_);
  if (mtmd_decode_use_mrope(context_)) {
    made->dimensions = 4;
    made->places = places_of(chunk, made->rows);
  }
  const size_t size = static_cast<size_t>(made->rows) * static_cast<size_t>(made->width);
  made->embeddings.assign(embeddings, embeddings + size);
  // In the KV cache they would spoil what others have there: 0 times one of these is none either.
  const auto is_finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(made->embeddings.begin(), made->embeddings.end(), is_finite)) {
    throw Error(code::kDecodeFailed, std::string("The projector makes numbers of the ") +
                                         name_of(kind_) +
                                         " that are not finite: its file is damaged, or it "
                                         "was trained for others.");
  }
  return made;
}

// As many chunks from `from` on as mtmd takes into one graph: slices of a picture. Returns how many
// of the list's that were, none if it was stopped or failed.
size_t MediaEncoding::encode_together(size_t from,
                                      std::vector<std::shared_ptr<MediaChunk>>& encoded) const {
  const mtmd::batch_ptr batch(mtmd_batch_init(context_));
  std::vector<const mtmd_input_chunk*> together;
  for (size_t i = from; i < encoded.size(); ++i) {
    const mtmd_input_chunk* chunk = mtmd_input_chunks_get(list_.get(), i);
    if (is_text(chunk)) continue;
    if (mtmd_batch_add_chunk(batch.get(), chunk) != 0) break;
    together.push_back(chunk);
  }
  if (mtmd_batch_encode(batch.get()) != 0) return 0;
  size_t next = from;
  for (const mtmd_input_chunk* chunk : together) {
    while (mtmd_input_chunks_get(list_.get(), next) != chunk)
      ++next;
    encoded[next++] = chunk_of(chunk, mtmd_batch_get_output_embd(batch.get(), chunk));
  }
  return next - from;
}

std::shared_ptr<const EncodedMedia> MediaEncoding::encode(int32_t first_id, const GoesOn& goes_on) {
  const backend::ErrorCapture errors;
  const size_t count = mtmd_input_chunks_size(list_.get());
  std::vector<std::shared_ptr<MediaChunk>> encoded(count);
  for (size_t i = 0; i < count;) {
    if (is_text(mtmd_input_chunks_get(list_.get(), i))) {
      ++i;
      continue;
    }
    const size_t done = encode_together(i, encoded);
    if (!goes_on()) return nullptr;
    if (done == 0) {
      throw Error(errors.code(code::kDecodeFailed),
                  std::string("The ") + name_of(kind_) +
                      " could not be encoded: " + errors.reason("mtmd gives no reason") + ".");
    }
    i += done;
  }
  auto media = std::make_shared<EncodedMedia>();
  media->extent = extent();
  int32_t id = first_id;
  for (size_t i = 0; i < count; ++i) {
    if (encoded[i]) {
      encoded[i]->id = id++;
      media->bytes += encoded[i]->bytes();
      media->parts.emplace_back(std::move(encoded[i]));
    } else {
      media->parts.emplace_back(tokens_of(mtmd_input_chunks_get(list_.get(), i), model_));
    }
  }
  return media;
}

}  // namespace cria
