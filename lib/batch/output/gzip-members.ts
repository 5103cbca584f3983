import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip, gzipSync, inflateRaw, type Zlib } from "node:zlib";

/**
 * What `node:zlib` writes before and after a member's data. An output is a chain of members, each of
 * whole lines: a run that is killed leaves one torn member at most, the last.
 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0]);
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

const FIRST_WINDOW = 1 << 18;
/** Larger than any member that a run writes. */
const MAX_MEMBER = 1 << 28;

export function pack(lines: string): Uint8Array {
  return gzipSync(lines);
}

/** A member's text, and where it ends in the file. */
export interface Member {
  readonly text: Uint8Array;
  readonly end: number;
}

/** The members of a file up to its end, or to a torn one. Throws if the file has other content. */
export async function* membersOf(file: FileHandle): AsyncGenerator<Member> {
  let start = 0;
  let window = FIRST_WINDOW;
  for (;;) {
    const bytes = await readAt(file, start, window);
    if (bytes.length === 0) return;
    let at = 0;
    let torn = false;
    while (at < bytes.length && !torn) {
      const member = await memberAt(bytes.subarray(at));
      torn = member === undefined;
      if (member !== undefined) {
        at += member.length;
        yield { text: member.text, end: start + at };
      }
    }
    start += at;
    if (at > 0) window = FIRST_WINDOW;
    else if (bytes.length < window) return;
    else if (window < MAX_MEMBER) window *= 4;
    else throw new Error("it holds a member of more than 256 MiB");
  }
}

/** Undefined if the member is not complete. */
async function memberAt(
  bytes: Uint8Array,
): Promise<{ text: Uint8Array; length: number } | undefined> {
  const head = Math.min(HEADER.length, bytes.length);
  if (!HEADER.subarray(0, head).equals(bytes.subarray(0, head))) {
    throw new Error("it is not a file of gzip members as a run writes them");
  }
  if (bytes.length < HEADER_BYTES) return undefined;
  const data = bytes.subarray(HEADER_BYTES);
  const used = await inflatedFrom(data);
  if (used === undefined || data.length < used + TRAILER_BYTES) return undefined;
  const length = HEADER_BYTES + used + TRAILER_BYTES;
  // Unpacked again, with its checksum.
  return { text: await promisify(gunzip)(bytes.subarray(0, length)), length };
}

/** How many bytes a deflated stream takes; undefined if it does not end. */
function inflatedFrom(data: Uint8Array): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: unknown) => {
      const code = (error as NodeJS.ErrnoException | null)?.code;
      if (code === "Z_BUF_ERROR") resolve(undefined);
      else if (error !== null) reject(error);
      else resolve((result as { engine: Zlib }).engine.bytesWritten);
    };
    inflateRaw(data, { info: true }, done);
  });
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
