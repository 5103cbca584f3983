/** First byte and the one behind the last. */
export type ByteRange = readonly [from: number, to: number];

/** Which bytes of a file are there: ranges in order, none touching the next. */
export class ByteRanges {
  #ranges: ByteRange[] = [];

  constructor(ranges: Iterable<ByteRange> = []) {
    for (const [from, to] of ranges) this.add(from, to);
  }

  get all(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** Bytes together. */
  get bytes(): number {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  /** Bytes from the file's start without a gap. */
  get prefix(): number {
    const [first] = this.#ranges;
    return first?.[0] === 0 ? first[1] : 0;
  }

  add(from: number, to: number): void {
    if (to <= from) return;
    const before = this.#ranges.filter(([, end]) => end < from);
    const behind = this.#ranges.filter(([start]) => start > to);
    const touched = this.#ranges.slice(before.length, this.#ranges.length - behind.length);
    const start = Math.min(from, ...touched.map(([first]) => first));
    const end = Math.max(to, ...touched.map(([, last]) => last));
    this.#ranges = [...before, [start, end], ...behind];
  }

  /** What is missing of a file of so many bytes. */
  gaps(size: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let at = 0;
    for (const [from, to] of [...this.#ranges, [size, size] as const]) {
      if (from > at) gaps.push([at, Math.min(from, size)]);
      at = Math.max(at, to);
    }
    return gaps;
  }
}

/** The same bytes in pieces of at most `length`. */
export function cut(ranges: readonly ByteRange[], length: number): ByteRange[] {
  return ranges.flatMap(([from, to]) =>
    Array.from({ length: Math.ceil((to - from) / length) }, (_, i): ByteRange => {
      const start = from + i * length;
      return [start, Math.min(to, start + length)];
    }),
  );
}
