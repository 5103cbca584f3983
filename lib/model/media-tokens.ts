import { nativeWork } from "../internal/native-work.js";
import { insideOf, type LoadedModel } from "./loaded-model.js";
import { type MediaSegment, nativeMedia } from "./prompt.js";

/**
 * How many tokens a picture or a sound takes in a prompt: it is decoded, and not encoded.
 *
 * @throws {CriaError} ERR_MEDIA_INVALID, ERR_UNSUPPORTED (no projector, or none for this), ERR_DISPOSED; the signal's
 * reason
 */
export function mediaTokens(
  model: LoadedModel,
  segment: MediaSegment,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { native } = insideOf(model);
  const media = nativeMedia(segment);
  return nativeWork(native, (id) => native.startMediaRows(id, media), signal);
}
