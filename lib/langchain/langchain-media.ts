import { isPlainObject } from "../internal/checks.js";
import { CriaError } from "../internal/errors.js";
import { base64Within, inlineMedia } from "../messages/inline-media.js";
import type { MediaPart } from "../messages/media-parts.js";

type Block = Readonly<Record<string, unknown>>;

const KINDS: Readonly<Record<string, "image" | "audio" | undefined>> = {
  image_url: "image",
  image: "image",
  input_audio: "audio",
  audio: "audio",
};

/**
 * A block of LangChain's as a picture or a sound; undefined where it is neither. They come with their bytes, in
 * OpenAI's shapes or in LangChain's own (`data` in base64 or as bytes, a data: `url`): what names a file or an
 * address is not read for whoever wrote the message.
 *
 * @throws {CriaError} ERR_UNSUPPORTED
 */
export function mediaPartOf(block: Block, name: string): MediaPart | undefined {
  const kind = typeof block.type === "string" ? KINDS[block.type] : undefined;
  if (kind === undefined) return undefined;
  const data = dataOf(block);
  if (data === undefined) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `\`${name}\` has to come with its bytes: as { type: "${kind}", data } in base64, or as a data: URL. cria ` +
        "fetches nothing, and opens no file for a message",
      { details: { name } },
    );
  }
  return inlineMedia(kind, data);
}

function dataOf({
  type,
  data,
  url,
  image_url,
  input_audio,
}: Block): string | Uint8Array | undefined {
  if (type === "image_url") return inUrl(isPlainObject(image_url) ? image_url.url : image_url);
  const given = type === "input_audio" && isPlainObject(input_audio) ? input_audio.data : data;
  if (given instanceof Uint8Array) return given;
  if (typeof given === "string") return given.startsWith("data:") ? inUrl(given) : given;
  return inUrl(url);
}

function inUrl(url: unknown): string | undefined {
  return typeof url === "string" ? base64Within(url) : undefined;
}
