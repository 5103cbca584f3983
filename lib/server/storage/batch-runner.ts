import { runWith } from "../../batch/run-batch.js";
import { untilAborted } from "../../internal/abort.js";
import { CriaError } from "../../internal/errors.js";
import { TurnQueue } from "../../internal/turn-queue.js";
import { now } from "../answer-head.js";
import type { HostedModel } from "../hosted-model.js";
import { HttpError, toHttpError } from "../http-errors.js";
import { type CheckedLines, checkLines, problem } from "./batch-check.js";
import {
  type BatchEndpoint,
  type BatchObject,
  type BatchProblem,
  isOver,
  newBatch,
} from "./batch-object.js";
import type { BatchStore } from "./batch-store.js";
import type { FileStore } from "./file-store.js";
import { HostedEngine, settingsOfBatch } from "./hosted-engine.js";
import { splitResults } from "./result-split.js";

/** Finds the model that lines name, or the one for lines that name none. */
export interface ModelFinder {
  /** @throws {HttpError} 404 */
  named(name: unknown, prefers?: (model: HostedModel) => boolean): HostedModel;
}

export interface BatchRunnerParts {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly models: ModelFinder;
}

const PREFERENCES: Partial<Record<BatchEndpoint, (model: HostedModel) => boolean>> = {
  "/v1/embeddings": ({ settings }) => settings.pooling !== undefined,
  "/v1/moderations": ({ settings }) => settings.guard !== undefined,
};

/** How many may not be over at a time, so that nobody fills the server by asking for the same again and again. */
const MAX_OPEN = 100;

/** Carries out batches: those of a model one after the other, beside the requests of others. */
export class BatchRunner {
  readonly #parts: BatchRunnerParts;
  /** Ends all runs at once: they go on when the server starts again. */
  readonly #stop = new AbortController();
  readonly #cancelling = new Map<string, AbortController>();
  readonly #running = new Set<Promise<void>>();
  /** How many are being written down, and do not run yet. */
  #creating = 0;
  /** By model: resolves when all batches that were begun are over. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** One file is checked at a time: a check keeps all its ids. */
  readonly #checks = new TurnQueue("The server");

  constructor(parts: BatchRunnerParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier server has left. */
  resume(): void {
    for (const batch of this.#parts.batches.list().reverse())
      if (!isOver(batch)) this.#start(batch);
  }

  /** @throws {HttpError} 429 where too many are not over */
  async create(
    asked: Pick<BatchObject, "endpoint" | "input_file_id" | "metadata">,
  ): Promise<BatchObject> {
    if (this.#running.size + this.#creating >= MAX_OPEN) {
      const message = `${MAX_OPEN} batches are not over yet: wait for one of them, or cancel it`;
      throw new HttpError(429, "too_many_batches", message);
    }
    const batch = newBatch(asked);
    this.#creating += 1;
    try {
      await this.#parts.batches.save(batch);
      this.#start(batch);
    } finally {
      this.#creating -= 1;
    }
    return batch;
  }

  /**
   * What runs is finished, nothing more is begun.
   *
   * @throws {HttpError} 400 where it is over
   */
  async cancel(id: string): Promise<BatchObject> {
    const batch = this.#parts.batches.find(id);
    if (batch.status === "cancelling") return batch;
    if (isOver(batch) || batch.status === "finalizing") {
      const message = `A batch that is ${batch.status} cannot be cancelled`;
      throw new HttpError(400, "batch_not_cancellable", message);
    }
    const saved = this.#change(id, { status: "cancelling", cancelling_at: now() });
    this.#cancelling.get(id)?.abort();
    return saved;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  #start(batch: BatchObject): void {
    const cancelled = new AbortController();
    if (batch.status === "cancelling") cancelled.abort();
    this.#cancelling.set(batch.id, cancelled);
    const running = this.#carryOut(batch.id, cancelled.signal)
      .catch((error: unknown) => this.#fail(batch.id, [this.#told(batch, error)]))
      // Not even that could be written: it is tried again with the next start.
      .catch(() => {})
      .finally(() => {
        this.#cancelling.delete(batch.id);
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async #carryOut(id: string, cancelled: AbortSignal): Promise<void> {
    const { files, batches, models } = this.#parts;
    const { endpoint, input_file_id, in_progress_at, request_counts } = batches.find(id);
    const input = files.pathOf(files.find(input_file_id));
    const lines = await this.#check(input, { endpoint, cancelled });
    if (this.#stop.signal.aborted) return;
    if (lines === undefined) return this.#end(id, cancelled);
    if (lines.problems.length > 0) return this.#fail(id, lines.problems);
    const hosted = models.named(lines.model, PREFERENCES[endpoint]);
    await this.#change(id, {
      model: hosted.name,
      request_counts: { ...request_counts, total: lines.total },
      ...(!cancelled.aborted && {
        status: "in_progress",
        in_progress_at: in_progress_at ?? now(),
      }),
    });
    await this.#inTurn(hosted, cancelled, () => this.#run(id, { hosted, input, cancelled }));
    if (!this.#stop.signal.aborted) await this.#end(id, cancelled);
  }

  /** Undefined where it is cancelled, or the server stopped, before it is its turn. */
  #check(
    input: string,
    { endpoint, cancelled }: { endpoint: BatchEndpoint; cancelled: AbortSignal },
  ): Promise<CheckedLines | undefined> {
    const stop = this.#stop.signal;
    return this.#checks.add(async (before) => {
      await untilAborted(before, cancelled).catch(() => {});
      const over = cancelled.aborted || stop.aborted;
      return over ? undefined : checkLines(input, endpoint, stop);
    });
  }

  async #end(id: string, cancelled: AbortSignal): Promise<void> {
    if (!cancelled.aborted) await this.#change(id, { status: "finalizing", finalizing_at: now() });
    const results = await this.#gather(id);
    const end = cancelled.aborted
      ? ({ status: "cancelled", cancelled_at: now() } as const)
      : ({ status: "completed", completed_at: now() } as const);
    await this.#change(id, { ...results, ...end });
    await this.#parts.batches.dropResults({ id });
  }

  /** One that is cancelled while it waits lets go at once, and those behind it still wait for those before. */
  async #inTurn(hosted: HostedModel, cancelled: AbortSignal, run: () => Promise<void>) {
    const before = this.#turns.get(hosted.name) ?? Promise.resolve();
    const own = untilAborted(before, cancelled)
      .catch(() => {})
      .then(() => (cancelled.aborted || this.#stop.signal.aborted ? undefined : run()));
    this.#turns.set(hosted.name, Promise.allSettled([before, own]));
    await own;
  }

  async #run(
    id: string,
    { hosted, input, cancelled }: { hosted: HostedModel; input: string; cancelled: AbortSignal },
  ): Promise<void> {
    const { batches } = this.#parts;
    const { signal } = this.#stop;
    // The day on which it was made, also where it goes on tomorrow.
    const date = new Date(batches.find(id).created_at * 1000);
    try {
      await hosted.hold(signal, async (weights) =>
        runWith({
          ...{ input, output: batches.resultsOf({ id }), resume: true },
          engine: new HostedEngine(hosted, weights, date),
          settings: await settingsOfBatch(weights, date),
          ...{ finish: cancelled, signal },
          onProgress: ({ done, errors }) => this.#count(id, done - errors, errors),
        }),
      );
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #count(id: string, completed: number, failed: number): void {
    const batch = this.#parts.batches.find(id);
    const { total } = batch.request_counts;
    this.#parts.batches.show({ ...batch, request_counts: { total, completed, failed } });
  }

  async #change(id: string, changes: Partial<BatchObject>): Promise<BatchObject> {
    const changed = { ...this.#parts.batches.find(id), ...changes };
    await this.#parts.batches.save(changed);
    return changed;
  }

  /** Its results, counted: what a run has told of them is lost where the server was killed. */
  async #gather(id: string): Promise<Partial<BatchObject>> {
    const { files, batches } = this.#parts;
    const { files: kept, counts } = await splitResults(batches.resultsOf({ id }), files, id);
    const { total } = batches.find(id).request_counts;
    return { ...kept, request_counts: { total, ...counts } };
  }

  /** What was answered before stays, as the results of the batch. */
  async #fail(id: string, problems: readonly BatchProblem[]): Promise<void> {
    const { batches } = this.#parts;
    const results = await this.#gather(id).catch(() => undefined);
    await this.#change(id, {
      ...results,
      ...{ status: "failed", failed_at: now(), errors: { object: "list", data: problems } },
    });
    if (results !== undefined) await batches.dropResults({ id });
  }

  /** Where its files are is none of the client's business. */
  #told(batch: BatchObject, error: unknown): BatchProblem {
    if (error instanceof HttpError) return problem(error.code, error.message);
    if (CriaError.is(error)) {
      const path = this.#parts.batches.resultsOf(batch);
      const { message } = toHttpError(error); // as a request is told
      return problem(
        error.code,
        message.replaceAll(path, () => batch.id),
      );
    }
    const { code } = (error ?? {}) as NodeJS.ErrnoException;
    const known = typeof code === "string" ? code : "ERR_INTERNAL";
    return problem(known, "The batch failed on the server's side");
  }
}
