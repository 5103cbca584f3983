import type { MediaPart } from "./media-parts.js";

/** A picture or a sound that is all there: the bytes of its file, or these in base64, in OpenAI's shape. */
export function inlineMedia(kind: "image" | "audio", data: Uint8Array | string): MediaPart {
  if (kind === "image") {
    return typeof data === "string"
      ? { type: "image_url", image_url: { url: `data:;base64,${data}` } }
      : { type: "image", image: data };
  }
  return typeof data === "string"
    ? { type: "input_audio", input_audio: { data, format: "" } }
    : { type: "audio", audio: data };
}

/** The base64 of a data: URL; of any other text undefined. */
export function base64Within(url: string): string | undefined {
  return /^data:[^,]*;base64,(.*)$/is.exec(url)?.[1];
}
