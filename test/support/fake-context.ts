import type {
  NativeCommand,
  NativeContext,
  NativeContextInfo,
  NativeContextOptions,
  NativeContextStats,
  NativeNews,
  NativeRequest,
  NativeResult,
} from "../../lib/native.js";

export function nativeResult(changes: Partial<NativeResult> = {}): NativeResult {
  return {
    stopReason: "end-of-turn",
    stopToken: 7,
    stopString: null,
    promptTokens: 3,
    cachedTokens: 0,
    completionTokens: 5,
    queuedMs: 1,
    promptMs: 2,
    generationMs: 250,
    ...changes,
  };
}

/** Keeps the addon's side of the contract in lib/native.ts, with the test as its engine. */
export class FakeNativeContext implements NativeContext {
  readonly requests: NativeRequest[] = [];
  readonly commands: { id: number; command: NativeCommand }[] = [];
  readonly cancelled: number[] = [];
  options: NativeContextOptions | undefined;
  closed = 0;
  #open = new Set<number>();
  #onNews: (news: readonly NativeNews[]) => void = () => {};
  /** Set before `open` to hold it until the test resolves it. */
  gate: Promise<void> = Promise.resolve();
  submitError: Error | undefined;

  async open(
    options: NativeContextOptions,
    onNews: (news: readonly NativeNews[]) => void,
  ): Promise<NativeContextInfo> {
    this.options = options;
    this.#onNews = onNews;
    await this.gate;
    if (this.closed > 0) throw Object.assign(new Error("closed"), { code: "ERR_DISPOSED" });
    const { batchSize, microBatchSize } = options;
    return { threads: 2, batchThreads: 2, batchSize, microBatchSize };
  }

  submit(request: NativeRequest): void {
    if (this.submitError !== undefined) throw this.submitError;
    this.requests.push(request);
    this.#open.add(request.id);
  }

  command(id: number, command: NativeCommand): void {
    this.commands.push({ id, command });
  }

  cancel(id: number): void {
    this.cancelled.push(id);
    setImmediate(() => this.finish(id, { stopReason: "cancelled", stopToken: -1 }));
  }

  stats(): NativeContextStats {
    const activeGenerations = this.#open.size;
    return {
      activeGenerations,
      queuedGenerations: 0,
      cachedTokens: 0,
      decodedTokens: 0,
      batches: 0,
    };
  }

  async close(): Promise<void> {
    this.closed++;
    const error = { code: "ERR_DISPOSED", message: "The context has been disposed" } as const;
    const news = [...this.#open].map((id) => ({ id, text: "", tokens: new Int32Array(), error }));
    this.#open.clear();
    await Promise.resolve();
    if (news.length > 0) this.#onNews(news);
  }

  text(id: number, text: string, ...tokens: number[]): void {
    this.news({ id, text, tokens: Int32Array.from(tokens) });
  }

  finish(id: number, changes: Partial<NativeResult> = {}, text = ""): void {
    if (!this.#open.delete(id)) return;
    this.news({ id, text, tokens: new Int32Array(), result: nativeResult(changes) });
  }

  news(...news: NativeNews[]): void {
    this.#onNews(news);
  }
}
