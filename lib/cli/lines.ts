/** A conversation longer than any context, and a file without line breaks has an end, too. */
const MAX_BYTES = 16 * 1024 * 1024;

const LINE_FEED = 0x0a;

/** A line of a file, or what is wrong with it. */
export type Line = { readonly number: number } & (
  | { readonly text: string; readonly error?: undefined }
  | { readonly text?: undefined; readonly error: string }
);

/** The lines of UTF-8, counted from 1; one that is no UTF-8 or too long does not hide the others. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0;
  let parts: Uint8Array[] = [];
  let length = 0;
  const line = (): Line => {
    const bytes = length > MAX_BYTES ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    number += 1;
    return { number, ...decoded(bytes) };
  };
  const add = (part: Uint8Array) => {
    length += part.length;
    if (length > MAX_BYTES) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, end));
      yield line();
      start = end + 1;
    }
    add(chunk.subarray(start));
  }
  if (length > 0) yield line();
}

function decoded(bytes: Uint8Array | undefined): { text: string } | { error: string } {
  if (bytes === undefined) return { error: `it has more than ${MAX_BYTES} bytes` };
  const text = utf8(bytes);
  return text === undefined ? { error: "it is no UTF-8" } : { text };
}

/** Undefined where the bytes are something else. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
