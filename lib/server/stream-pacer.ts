/** Milliseconds between two writes of a stream, where there are many: no eye sees the difference. */
const PACE_MS = 20;
/** So many streams get each piece as it comes. */
const FEW = 4;

/** What gathers pieces until it is told to write them. */
export interface PacedStream {
  flush(): void;
}

/**
 * Tells streams when to write. A write costs more than all else that the server does for a token, and each is
 * another turn for the client, too: where many streams run, their pieces are gathered for a moment. The first
 * piece and the last never wait.
 */
export class StreamPacer {
  readonly #open = new Set<PacedStream>();
  readonly #holding = new Set<PacedStream>();
  #timer: NodeJS.Timeout | undefined;

  enter(stream: PacedStream): void {
    this.#open.add(stream);
  }

  leave(stream: PacedStream): void {
    this.#open.delete(stream);
    this.#holding.delete(stream);
  }

  /**
   * Whether the stream may keep a piece for a moment; it is told to flush behind that.
   *
   * @param sent when it last wrote, of `performance.now()`
   */
  holds(stream: PacedStream, sent: number): boolean {
    if (this.#open.size <= FEW || performance.now() - sent >= PACE_MS) return false;
    this.#holding.add(stream);
    // One timer for all that wait.
    this.#timer ??= setTimeout(() => this.#flushAll(), PACE_MS);
    return true;
  }

  #flushAll(): void {
    this.#timer = undefined;
    for (const stream of this.#holding) stream.flush();
    this.#holding.clear();
  }
}
