import { CriaError } from "../internal/errors.js";

/**
 * What a client sent as a prompt or as messages, unless it names files: a page must not have this machine's
 * files opened. Everything else about it is judged by the library's own checks.
 *
 * @throws {CriaError} ERR_UNSUPPORTED
 */
export function withoutFiles<T>(value: T): T {
  const given: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const one of given) {
    checkMedia(one);
    const content = (one as { content?: unknown } | null | undefined)?.content;
    if (Array.isArray(content)) for (const part of content) checkMedia(part);
  }
  return value;
}

interface Media {
  readonly image?: unknown;
  readonly audio?: unknown;
  readonly image_url?: { readonly url?: unknown } | null;
}

function checkMedia(part: unknown): void {
  if (typeof part !== "object" || part === null) return;
  const { image, audio, image_url: link } = part as Media;
  const file = typeof link?.url === "string" && /^\s*file:/i.test(link.url);
  if (!file && typeof image !== "string" && typeof audio !== "string") return;
  throw new CriaError(
    "ERR_UNSUPPORTED",
    "A picture or a sound cannot be named by its path across a port: give its bytes",
  );
}
