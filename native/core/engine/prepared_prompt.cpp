#include "core/engine/prepared_prompt.h"

#include <string>

#include "core/media/media_token.h"
#include "core/model/error.h"
#include "core/model/token_watch.h"

namespace cria {

namespace {

Projector& expect_projector(Projector* projector, MediaKind kind) {
  if (projector != nullptr) return *projector;
  throw Error(code::kUnsupported, std::string("The prompt has an ") + name_of(kind) +
                                      " segment, and the model was loaded without a projector. "
                                      "Load it with `projector`, the mmproj file that belongs to "
                                      "it.");
}

void append(PreparedPrompt& prompt, const std::shared_ptr<const MediaChunk>& chunk) {
  prompt.media.push_back({static_cast<int32_t>(prompt.tokens.size()), chunk});
  for (int32_t row = 0; row < chunk->rows; ++row)
    prompt.tokens.push_back(media_token(chunk->id, row < chunk->positions));
}

void append(PreparedPrompt& prompt, const Tokens& tokens) {
  prompt.tokens.insert(prompt.tokens.end(), tokens.begin(), tokens.end());
}

}  // namespace

PreparedPrompt prepare_prompt(const Vocabulary& vocabulary, const Prompt& prompt,
                              Projector* projector, const Projector::Room& room) {
  if (!prompt.has_media()) return {tokenize(vocabulary, prompt), {}};
  PreparedPrompt prepared;
  if (prompt.add_bos && vocabulary.bos() != LLAMA_TOKEN_NULL) {
    prepared.tokens.push_back(vocabulary.bos());
  }
  for (const Segment& segment : prompt.segments) {
    const auto* media = std::get_if<Media>(&segment);
    if (media == nullptr) {
      append(prepared, tokenize(vocabulary, segment));
      continue;
    }
    const auto length = static_cast<int32_t>(prepared.tokens.size());
    if (length > room.rows) {
      throw Error(code::kContextFull,
                  "The prompt has " + std::to_string(length) + " tokens in front of the " +
                      name_of(media->kind) + ", more than the " + std::to_string(room.rows) +
                      " that one generation can hold. Shorten it, or create the context with a "
                      "larger `contextSize`.");
    }
    const auto goes_on = [&] { return TokenWatch::goes_on({prepared.tokens.size(), 0, 0}); };
    const auto encoded = expect_projector(projector, media->kind)
                             .encode(*media, {room.rows - length, room.micro_batch}, goes_on);
    if (!encoded) break;
    for (const MediaPart& part : encoded->parts)
      std::visit([&](const auto& one) { append(prepared, one); }, part);
  }
  if (prepared.tokens.empty()) prepared.tokens.push_back(0);  // it was stopped
  return prepared;
}

}  // namespace cria
