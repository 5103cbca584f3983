import { type Context, openContext } from "../../lib/context/context.js";
import type { ContextOptions } from "../../lib/context/context-options.js";
import type {
  NativeAnswer,
  NativeCommand,
  NativeContext,
  NativeContextInfo,
  NativeContextOptions,
  NativeContextStats,
  NativeModelInfo,
  NativeNews,
  NativeRequest,
  NativeResult,
} from "../../lib/internal/native.js";
import type { LoadedModel } from "../../lib/model/loaded-model.js";
import { TokenTexts } from "../../lib/model/token-texts.js";

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

/** Keeps the addon's side of the contract in lib/internal/native.ts, with the test as its engine. */
export class FakeNativeContext implements NativeContext {
  readonly requests: NativeRequest[] = [];
  readonly commands: { id: number; command: NativeCommand }[] = [];
  readonly cancelled: number[] = [];
  options: NativeContextOptions | undefined;
  closed = 0;
  #open = new Set<number>();
  #onNews: (news: readonly NativeNews[]) => void = () => {};
  /** Stands for the model's detokenizer. */
  spell = (tokens: Int32Array): string => [...tokens].map((token) => `<${token}>`).join("");
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
    if (this.submitError !== undefined) throw this.submitError;
    this.commands.push({ id, command });
    this.#open.add(id);
    const answer = this.answers(command);
    if (answer !== undefined) setImmediate(() => this.answer(id, answer));
  }

  /** Answers of themselves to the commands that the test does not answer by its own hand. */
  answers: (command: NativeCommand) => NativeAnswer | undefined = () => undefined;

  /** The last command of this type. */
  last<T extends NativeCommand["type"]>(
    type: T,
  ): { id: number; command: Extract<NativeCommand, { type: T }> } {
    const found = this.commands.findLast(({ command }) => command.type === type);
    if (found === undefined) throw new Error(`no ${type}`);
    return found as { id: number; command: Extract<NativeCommand, { type: T }> };
  }

  cancel(id: number): void {
    this.cancelled.push(id);
    const isCommand = this.commands.some((one) => one.id === id);
    setImmediate(() => {
      if (isCommand) this.answer(id, { cancelled: true });
      else this.finish(id, { stopReason: "cancelled", stopToken: -1 });
    });
  }

  stats(): NativeContextStats {
    const activeGenerations = this.#open.size;
    return {
      activeGenerations,
      queuedGenerations: 0,
      cachedTokens: 0,
      decodedTokens: 0,
      batches: 0,
      broken: false,
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

  answer(id: number, answer: NativeAnswer): void {
    if (!this.#open.delete(id)) return;
    this.news({ id, text: "", tokens: new Int32Array(), answer });
  }

  refuse(id: number, error: Required<NativeNews>["error"]): void {
    if (!this.#open.delete(id)) return;
    this.news({ id, text: "", tokens: new Int32Array(), error });
  }

  news(...news: NativeNews[]): void {
    this.#onNews(news);
  }
}

/** A context on the fake: ten tokens, BOS wanted, `<e>` is the control token 9. */
export function openFake(
  native: FakeNativeContext,
  sequences = 1,
  options: ContextOptions = {},
): Promise<Context> {
  const info = {
    architecture: "llama",
    generates: true,
    metadata: [] as string[],
    contextLength: 128,
    vocabularySize: 10,
    addsBos: true,
  } as NativeModelInfo;
  return openContext(
    {
      model: { metadata: new Map(), vocabularySize: 10 } as unknown as LoadedModel,
      native,
      measure: async () => ({ gpuLayers: 0, checkpoints: 0, devices: [] }),
      info,
      vocabulary: {
        vocabularySize: 10,
        addsBos: true,
        tokenId: (text) => (text === "<e>" ? 9 : -1),
      },
      texts: new TokenTexts((tokens) => native.spell(tokens)),
    },
    { sequences, ...options },
  );
}

/** Turns of the microtask queue, enough for any chain of promises here. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
