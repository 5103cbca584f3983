import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

/** What a file's bytes have to sum up to: SHA-256, or git's id, which is a SHA-1 with the length in front. */
export interface Checksum {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

/** Small enough that the JS thread hardly stands still for one. */
const PIECE = 2 ** 20;

/**
 * Sums a file up while it comes, behind what has come without a gap, from the system's cache: otherwise forty
 * gigabytes would have to be read again at the end.
 */
export class FollowingHash {
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #piece = Buffer.allocUnsafe(PIECE);
  #at = 0;
  #work: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(file: FileHandle, size: number, { kind }: Pick<Checksum, "kind">) {
    this.#file = file;
    this.#hash = createHash(kind === "git" ? "sha1" : "sha256");
    if (kind === "git") this.#hash.update(`blob ${size}\0`);
  }

  /** Goes on to this place, behind the call's back. */
  follow(to: number): void {
    this.#work = this.#work.then(() => this.#advance(to));
    this.#work.catch(() => {}); // told by `end`
  }

  /** The sum in hexadecimal digits, once all has been read. */
  async end(size: number): Promise<string> {
    this.follow(size);
    await this.#work;
    return this.#hash.digest("hex");
  }

  /** Nobody wants the sum: resolves when the file is let go of. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work.catch(() => {});
  }

  async #advance(to: number): Promise<void> {
    while (this.#at < to && !this.#stopped) {
      const length = Math.min(PIECE, to - this.#at);
      const { bytesRead } = await this.#file.read(this.#piece, 0, length, this.#at);
      if (bytesRead === 0) throw new Error(`the file ends at ${this.#at} instead of ${to}`);
      this.#hash.update(this.#piece.subarray(0, bytesRead));
      this.#at += bytesRead;
    }
  }
}

/** The sum of a file that is there. */
export async function sumOf(path: string, size: number, checksum: Checksum): Promise<string> {
  const file = await open(path, "r");
  try {
    return await new FollowingHash(file, size, checksum).end(size);
  } finally {
    await file.close();
  }
}
