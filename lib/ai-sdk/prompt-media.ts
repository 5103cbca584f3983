import { isPlainObject } from "../internal/checks.js";
import { CriaError } from "../internal/errors.js";
import { base64Within, inlineMedia } from "../messages/inline-media.js";
import type { MediaPart } from "../messages/media-parts.js";

type Part = Readonly<Record<string, unknown>>;

/**
 * A user's file part of the SDK's as a picture or a sound; undefined where it is neither. Its data are bytes,
 * base64 or a data: URL: what others send must not have files opened or URLs fetched. AI SDK 7 has the kind alone
 * where it does not know more, as "image".
 *
 * @throws {CriaError} ERR_UNSUPPORTED
 */
export function mediaPartOf(part: Part, at: string): MediaPart | undefined {
  const kind = /^(image|audio)(?:\/|$)/.exec(
    typeof part.mediaType === "string" ? part.mediaType : "",
  )?.[1] as "image" | "audio" | undefined;
  if (part.type !== "file" || kind === undefined) return undefined;
  const data = insideOf(part.data);
  const inline = data instanceof Uint8Array ? data : base64Of(data);
  if (inline === undefined) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `The data of \`${at}\` have to be bytes, base64 or a data: URL: cria fetches nothing, and opens no file`,
      { details: { name: at } },
    );
  }
  return inlineMedia(kind, inline);
}

/** AI SDK 7 says what its data are, as { type: "data", data } and { type: "url", url }. */
function insideOf(data: unknown): unknown {
  if (!isPlainObject(data)) return data;
  return data.type === "data" ? data.data : data.url;
}

function base64Of(data: unknown): string | undefined {
  const text = data instanceof URL ? data.href : data;
  if (typeof text !== "string") return undefined;
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  return base64Within(text);
}
