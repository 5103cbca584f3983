import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { program } from "./paths.js";

/** Ids of tokens, or a picture's or a sound's file. */
export type ReferencePart =
  | readonly number[]
  | { readonly image: string }
  | { readonly audio: string };

export interface ReferenceAnswer {
  readonly promptTokens: number;
  /** Greedy, the end-of-generation token included. */
  readonly tokens: readonly number[];
}

/** What a plain loop over mtmd.h says. */
export async function mediaReference(
  model: string,
  projector: string,
  parts: readonly ReferencePart[],
  flags: readonly string[] = [],
): Promise<ReferenceAnswer> {
  const named = parts.map((part) => {
    if ("image" in part) return `image:${part.image}`;
    if ("audio" in part) return `audio:${part.audio}`;
    return `ids:${part.join(",")}`;
  });
  const child = spawn(program("media-reference"), [model, projector, ...flags, ...named], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-media-reference ended with ${code}`);
  return JSON.parse(answer) as ReferenceAnswer;
}
