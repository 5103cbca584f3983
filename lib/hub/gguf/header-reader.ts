import { CriaError } from "../../internal/errors.js";
import type { ByteSource } from "./byte-source.js";

/** More than any model's header has, its vocabulary included. */
const HEADER_MAX = 128 * 2 ** 20;
/** What is read at a time: little at first, since most headers without a vocabulary are small. */
const WINDOW = 512 * 2 ** 10;
const WINDOW_MAX = 8 * 2 ** 20;

/**
 * Reads a header from its start to its end, a window at a time. What the file says of its lengths is compared with the
 * file's own before anything is set aside for it.
 */
export class HeaderReader {
  readonly source: ByteSource;
  #window: Buffer = Buffer.alloc(0);
  /** Where the window begins in the file. */
  #start = 0;
  #at = 0;
  #next = WINDOW;

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** In the file. */
  get position(): number {
    return this.#start + this.#at;
  }

  /** Bytes from here to the file's end. */
  get left(): number {
    return this.source.size - this.position;
  }

  /** Whether so many bytes can be read without waiting. */
  has(length: number): boolean {
    return this.#window.length - this.#at >= length;
  }

  /** Makes sure of so many bytes. */
  async need(length: number, what: string): Promise<void> {
    if (this.has(length)) return;
    this.#check(length, what);
    const kept = this.#window.subarray(this.#at);
    const from = this.position + kept.length;
    const wanted = Math.max(length - kept.length, this.#next);
    const more = await this.source.read(from, Math.min(wanted, this.source.size - from));
    this.#start = this.position;
    this.#window = kept.length === 0 ? more : Buffer.concat([kept, more]);
    this.#at = 0;
    this.#next = Math.min(WINDOW_MAX, this.#next * 2);
    if (!this.has(length)) throw this.invalid(`it ends in ${what}`);
  }

  /** Goes on without reading what lies between. */
  skip(length: number, what: string): void {
    this.#check(length, what);
    if (this.has(length)) {
      this.#at += length;
      return;
    }
    this.#start = this.position + length;
    this.#window = Buffer.alloc(0);
    this.#at = 0;
  }

  #check(length: number, what: string): void {
    if (length > this.left) {
      throw this.invalid(
        `it ends in ${what}: ${length} bytes are announced, and ${this.left} are left`,
      );
    }
    if (this.position + length > HEADER_MAX) {
      throw this.invalid(`its header is longer than ${HEADER_MAX} bytes, at ${what}`);
    }
  }

  /** `what` is a sentence about "it". */
  invalid(what: string): CriaError {
    return new CriaError(
      "ERR_MODEL_INVALID",
      `The file ${this.source.shown} is no GGUF model that can be read: ${what}`,
      { details: { path: this.source.shown, position: this.position } },
    );
  }

  // What follows takes bytes that `need` made sure of.

  bytes(length: number): Buffer {
    this.#at += length;
    return this.#window.subarray(this.#at - length, this.#at);
  }

  u32(): number {
    return this.bytes(4).readUInt32LE();
  }

  /** A length or a count; what no file can have is told as what it would be. */
  u64(what: string): number {
    const value = this.bytes(8).readBigUInt64LE();
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw this.invalid(`${what} is ${value}`);
  }
}
