import { abortReason, untilAborted, watchSignal } from "../internal/abort.js";
import { deferred } from "../internal/deferred.js";
import { CriaError, type CriaErrorCode, invalid, show } from "../internal/errors.js";
import type { BatchFormat, BatchProgress, BatchSummary } from "./batch-types.js";
import { type BatchEngine, EngineFailure, type Lane } from "./engine/batch-engine.js";
import { hashOf, type IdTable, seedOf } from "./input/custom-ids.js";
import type { LineSource } from "./input/line-source.js";
import { type BatchRequestLine, readLine } from "./input/request-line.js";
import type { Earlier, Output } from "./output/batch-output.js";
import { failed, type Written, writtenOf } from "./output/written-result.js";
import { RequestQueue, type WaitingRequest } from "./request-queue.js";

export interface RunParts {
  readonly source: LineSource;
  readonly output: Output;
  readonly earlier: Earlier;
  readonly ids: IdTable;
  readonly engine: BatchEngine;
  readonly format: BatchFormat;
  readonly ordered: boolean;
  readonly limit: number;
  readonly seed: number;
  /** A digest of everything that results depend on besides their lines. */
  readonly settings: string;
  readonly onProgress: ((progress: BatchProgress) => void) | undefined;
  readonly finish: AbortSignal | undefined;
  readonly signal: AbortSignal | undefined;
}

/** How many lines are read ahead, so that those with the same beginning meet. */
const MAX_WAITING = 512;
/** How many characters are read ahead: fewer lines where they are long. */
const MAX_WAITING_LENGTH = 16 * 1024 * 1024;
/** How many results may wait to be written or, in order, for those before them. */
const MAX_UNWRITTEN = 2048;
/** How many characters are written in one piece, if they are of several results: together they may be no text any more. */
const MAX_PIECE = 16 * 1024 * 1024;
const PROGRESS_MS = 100;

interface WaitingLine extends WaitingRequest {
  readonly line: BatchRequestLine;
  readonly hash: string;
}

/** Reads, runs and writes at the same time. Each waits when it is too far ahead of the next. */
export class Run {
  readonly #parts: RunParts;
  readonly #waiting = new RequestQueue<WaitingLine>(MAX_WAITING);
  readonly #stop = new AbortController();
  /** Stops the reader alone, as `finish` does. */
  readonly #stopReader = new AbortController();
  readonly #began = performance.now();
  readonly #totals = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  #skipped = 0;
  #written = 0;
  #errors = 0;
  /** How many characters the waiting lines have. */
  #waitingLength = 0;
  #lane: Lane | undefined;
  #running = 0;
  #places = 0;
  /** The last place of those that were begun. */
  #lastBegun = -1;
  /** How many were read and, after `finish`, not begun. */
  #left = 0;
  /** With `ordered`: results that wait for those before them, by their places. */
  readonly #held = new Map<number, Written>();
  #nextPlace = 0;
  #ready: Written[] = [];
  #writing = false;
  #reading = true;
  /** How many lines of the input were read. */
  #taken = 0;
  /** Whether the input was read to its end, or to the limit. */
  #readAll = false;
  #pumping = false;
  /** The run rejects with it at the end. What was read before is still answered. */
  #failure: { readonly error: unknown } | undefined;
  #reported = 0;
  #room = deferred<void>();
  readonly #ended = deferred<void>();

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  async run(): Promise<BatchSummary> {
    const { signal, finish } = this.#parts;
    const unwatch = [
      signal && watchSignal(signal, () => this.#fail(abortReason(signal), true)),
      finish && watchSignal(finish, () => this.#stopReading()),
    ];
    // They may have been aborted while the output was opened.
    if (signal?.aborted) this.#fail(abortReason(signal), true);
    if (finish?.aborted) this.#stopReading();
    try {
      void this.#read();
      await this.#ended.promise;
    } finally {
      for (const one of unwatch) one?.();
    }
    this.#report(true);
    if (this.#failure !== undefined) throw this.#failure.error;
    const { fraction: _, ...progress } = this.#progress();
    const all = this.#readAll && this.#waiting.size + this.#left === 0;
    return { ...progress, interrupted: !all && (finish?.aborted ?? false) };
  }

  /** Reads lines up to the limit, as long as there is room for them and nothing ends the run. */
  async #read(): Promise<void> {
    const { source, limit } = this.#parts;
    const lines = source[Symbol.asyncIterator]();
    const stop = this.#stopReader.signal;
    try {
      while (this.#taken < limit && this.#reading) {
        if (!this.#hasRoom()) {
          this.#room = deferred();
          await untilAborted(this.#room.promise, stop);
        }
        const step = await untilAborted(lines.next(), stop);
        if (!this.#reading || step.done) break;
        this.#taken += 1;
        await this.#take(readLine(step.value, this.#parts.format));
      }
      this.#readAll = this.#reading;
    } catch (error) {
      if (!stop.aborted) this.#fail(error);
    }
    this.#stopReading();
    // Not awaited: a terminal's next line may never come.
    lines.return?.().catch(() => {});
  }

  #stopReading(): void {
    this.#reading = false;
    this.#stopReader.abort();
    this.#schedule();
  }

  #hasRoom(): boolean {
    const unwritten = this.#held.size + this.#ready.length;
    return (
      this.#waiting.size < MAX_WAITING &&
      this.#waitingLength < MAX_WAITING_LENGTH &&
      unwritten < MAX_UNWRITTEN
    );
  }

  async #take(line: BatchRequestLine): Promise<void> {
    const { ids, settings } = this.#parts;
    const hash = hashOf(settings, line.customId, line.text);
    const met = ids.meet(line.customId, hash);
    if (met === "duplicate") await this.#take(duplicate(line));
    else if (met === "done") this.#skip();
    else if (met === "changed") throw changed(line);
    else await this.#prepare(line, hash);
  }

  #skip(): void {
    this.#skipped += 1;
    this.#report();
  }

  /** Prepares one line at a time, since a model has one thread for its template. */
  async #prepare(line: BatchRequestLine, hash: string): Promise<void> {
    const { engine, seed } = this.#parts;
    const place = this.#places++;
    const identity = {
      hash,
      get seed() {
        return seedOf(seed, line.customId);
      },
    };
    try {
      const prepared = engine.prepare(line.plan(), identity);
      const request = prepared instanceof Promise ? await prepared : prepared;
      this.#waiting.add({ place, request, line, hash });
      this.#waitingLength += line.text.length;
      this.#schedule();
    } catch (error) {
      if (isFatal(error)) return this.#failWith(error);
      this.#finish(place, writtenOf(failed(line, this.#idOf(hash), error)));
    }
  }

  async #answer({ request, line, hash }: WaitingLine): Promise<Written> {
    const id = this.#idOf(hash);
    try {
      const { body, ...tokens } = await request.start(this.#stop.signal);
      this.#totals.promptTokens += tokens.promptTokens;
      this.#totals.cachedTokens += tokens.cachedTokens;
      this.#totals.completionTokens += tokens.completionTokens;
      const response = { status_code: 200, request_id: `req_${hash}`, body } as const;
      return writtenOf({ id, custom_id: line.customId, response, error: null });
    } catch (error) {
      if (isFatal(error)) this.#failWith(error);
      return writtenOf(failed(line, id, error));
    }
  }

  #idOf(hash: string): string {
    return `batch_req_${this.#parts.settings}${hash}`;
  }

  /** Pumps once for all lines that come together, so that they are sorted before the first one leaves. */
  #schedule(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      try {
        this.#pump();
      } catch (error) {
        this.#fail(error, true);
      }
    });
  }

  #pump(): void {
    while (this.#startNext());
    if (this.#hasRoom()) this.#room.resolve();
    this.#endIfOver();
  }

  #startNext(): boolean {
    if (this.#over()) return false;
    // In order, the results that are there wait for those in front of them: without these they would be lost.
    if (this.#finishing) this.#left += this.#waiting.dropBehind(this.#lastBegun);
    const lane = this.#waiting.lane(this.#lane);
    if (lane === undefined || (lane !== this.#lane && this.#running > 0)) return false;
    if (this.#running >= this.#parts.engine.capacity(lane)) return false;
    this.#lane = lane;
    const waiting = this.#waiting.take(lane);
    if (waiting === undefined) return false;
    this.#waitingLength -= waiting.line.text.length;
    this.#lastBegun = Math.max(this.#lastBegun, waiting.place);
    this.#running += 1;
    const ended = (end: () => void) => {
      this.#running -= 1; // at once with its result: between the two the run could seem to be over
      end();
      this.#schedule();
    };
    this.#answer(waiting)
      .then(
        (written) => ended(() => this.#finish(waiting.place, written)),
        (error: unknown) => ended(() => this.#fail(error, true)),
      )
      // What cannot be kept ends the run, not the process.
      .catch((error: unknown) => this.#fail(error, true));
    return true;
  }

  /** Whether nothing more is to be started. */
  #over(): boolean {
    return this.#stop.signal.aborted || (this.#finishing && !this.#parts.ordered);
  }

  get #finishing(): boolean {
    return this.#parts.finish?.aborted ?? false;
  }

  #finish(place: number, written: Written): void {
    if (this.#stop.signal.aborted) return;
    if (!this.#parts.ordered) {
      this.#ready.push(written);
    } else {
      this.#held.set(place, written);
      for (
        let next = this.#held.get(this.#nextPlace);
        next;
        next = this.#held.get(this.#nextPlace)
      ) {
        this.#held.delete(this.#nextPlace++);
        this.#ready.push(next);
      }
    }
    void this.#write();
  }

  /** Writes all that is ready, in as few pieces as may be. */
  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      while (this.#ready.length > 0 && !this.#stop.signal.aborted) {
        const batch = this.#nextPiece();
        await this.#parts.output.append(batch.map(({ text }) => text).join(""));
        this.#written += batch.length;
        this.#errors += batch.filter((line) => line.failed).length;
        this.#report();
        this.#schedule();
      }
    } catch (error) {
      this.#fail(error, true);
    }
    this.#writing = false;
    this.#endIfOver();
  }

  /** At least one of the results that are ready. */
  #nextPiece(): Written[] {
    let count = 0;
    let length = 0;
    for (const { text } of this.#ready) {
      length += text.length;
      if (count > 0 && length > MAX_PIECE) break;
      count += 1;
    }
    return this.#ready.splice(0, count);
  }

  /** @param now whether to stop what runs, too */
  #fail(error: unknown, now = false): void {
    this.#failure ??= { error };
    if (now) this.#stop.abort(error);
    this.#stopReading();
  }

  #failWith(error: unknown): void {
    this.#fail(error instanceof EngineFailure ? error.error : error, true);
  }

  #endIfOver(): void {
    if (this.#reading || this.#writing) return;
    if (this.#stop.signal.aborted) {
      if (this.#running === 0) this.#ended.resolve();
      return;
    }
    const waiting = this.#over() ? 0 : this.#waiting.size;
    if (waiting + this.#running + this.#ready.length === 0) this.#ended.resolve();
  }

  #report(now = false): void {
    const { onProgress } = this.#parts;
    const since = performance.now() - this.#reported;
    if (onProgress === undefined || (!now && since < PROGRESS_MS)) return;
    this.#reported = performance.now();
    try {
      onProgress(this.#progress());
    } catch (error) {
      this.#fail(error);
    }
  }

  #progress(): BatchProgress {
    return {
      done: this.#skipped + this.#written,
      skipped: this.#skipped,
      errors: this.#parts.earlier.errors + this.#errors,
      ...this.#totals,
      milliseconds: performance.now() - this.#began,
      fraction: this.#fraction(),
    };
  }

  /** An estimate: the lines to come are taken to be as long as those before. */
  #fraction(): number | undefined {
    const { source, limit } = this.#parts;
    const behind = this.#readAll ? 1 : source.fraction;
    const all = Math.min(limit, behind ? this.#taken / behind : Number.POSITIVE_INFINITY);
    if (all === Number.POSITIVE_INFINITY) return undefined;
    return all === 0 ? 1 : Math.min((this.#skipped + this.#written) / all, 1);
  }
}

/** Of a context that was ended, by its owner or by what it computed on, or that others have filled: nobody's result. */
const FATAL: readonly CriaErrorCode[] = [
  "ERR_DISPOSED",
  "ERR_INTERNAL",
  "ERR_DEVICE_LOST",
  "ERR_WORKER_UNREACHABLE",
  "ERR_QUEUE_FULL",
];

/** Whether it has nothing to do with the line, so that every other would fail the same way. */
function isFatal(error: unknown): boolean {
  return error instanceof EngineFailure || (CriaError.is(error) && FATAL.includes(error.code));
}

/** A line whose id is taken is answered under its number, or under another name if that is taken, too. */
function duplicate(line: BatchRequestLine): BatchRequestLine {
  const own = `line-${line.number}`;
  return {
    ...line,
    customId: line.customId.startsWith(own) ? `${line.customId}-again` : own,
    plan: () => {
      throw invalid(
        `The id ${show(line.customId)} was given to an earlier line: each needs its own`,
      );
    },
  };
}

function changed(line: BatchRequestLine): Error {
  return invalid(
    `Line ${line.number} of the input (${show(line.customId)}) is not the request that the output has ` +
      "a result of: it was changed. Resume with the same lines, give another output, or overwrite this " +
      "one",
    { line: line.number, customId: line.customId },
  );
}
