import { deferred } from "./deferred.js";
import { disposedError, fromNative, MAX_WAITING, type Origin, queueFull } from "./errors.js";
import type {
  NativeAnswer,
  NativeCommand,
  NativeContext,
  NativeNews,
  NativeRequest,
} from "./native.js";

/** The JS side of a request or a command, which waits for its news. */
export interface Receiver {
  /** Takes the engine's news, in order. The last one has a result, an answer or an error. */
  receive(news: NativeNews): void;
  /** Ends it at once, whatever the engine still does. Idempotent. */
  fail(error: unknown): void;
}

export type Pending = Map<number, Receiver>;

/**
 * The engine holds this function as long as the context lives. It must lead to the context only while
 * something is pending; otherwise a context that was dropped could never be collected.
 */
export function deliverTo(pending: Pending): (news: readonly NativeNews[]) => void {
  return (news) => {
    for (const entry of news) {
      const receiver = pending.get(entry.id);
      const last =
        entry.result !== undefined || entry.answer !== undefined || entry.error !== undefined;
      if (last) pending.delete(entry.id);
      try {
        receiver?.receive(entry);
      } catch (error) {
        receiver?.fail(error); // only this one fails: the others still get their news
      }
    }
  };
}

/** What a context has pending in the engine. It knows neither the context nor its sequences. */
export class Requests {
  readonly native: NativeContext;
  readonly #pending: Pending;
  #nextId = 1;
  #closed = false;

  constructor(native: NativeContext, pending: Pending) {
    this.native = native;
    this.#pending = pending;
  }

  /** Positive, and unique in the context. */
  newId(): number {
    return this.#nextId++;
  }

  /** Throws if the arguments are to blame or the context is closed; otherwise the receiver fails. */
  submit(receiver: Receiver, request: NativeRequest): void {
    if (this.#isFull()) receiver.fail(queueFull("The context"));
    else this.#start(request.id, receiver, () => this.native.submit(request));
  }

  command(command: NativeCommand, origin: Origin): Command {
    if (this.#closed) throw disposedError("The context");
    const id = this.newId();
    const running = new Command(id, this, origin);
    const start = () => this.native.command(id, command);
    // A disposal is always accepted.
    if (command.type !== "dispose" && this.#isFull()) running.fail(queueFull("The context"));
    else this.#start(id, running, start);
    return running;
  }

  /** Gives back a sequence that nobody has any more. Nobody would hear of an error. */
  release(sequence: number): void {
    if (this.#closed) return;
    try {
      this.command({ type: "dispose", sequence }, {}).answer.catch(() => {});
    } catch {
      // The engine has closed the context meanwhile, and its sequences with it.
    }
  }

  /** Fails what is pending at once, since the engine's thread may take its time to stop. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const receiver of this.#pending.values()) receiver.fail(disposedError("The context"));
    this.#pending.clear();
    await this.native.close();
  }

  #isFull(): boolean {
    return this.#pending.size >= MAX_WAITING;
  }

  #start(id: number, receiver: Receiver, start: () => void): void {
    this.#pending.set(id, receiver);
    try {
      start();
    } catch (error) {
      this.#pending.delete(id);
      const failure = fromNative(error);
      receiver.fail(failure);
      if (failure.code === "ERR_INVALID_ARGUMENT" || failure.code === "ERR_DISPOSED") throw failure;
    }
  }
}

/** The JS side of one command. */
export class Command implements Receiver {
  readonly id: number;
  /** A cancelled command has an answer, too, which says so. */
  readonly answer: Promise<NativeAnswer>;
  readonly #requests: Requests;
  readonly #origin: Origin;
  readonly #settle = deferred<NativeAnswer>();
  #over = false;

  constructor(id: number, requests: Requests, origin: Origin) {
    this.id = id;
    this.#requests = requests;
    this.#origin = origin;
    this.answer = this.#settle.promise;
    this.answer.catch(() => {}); // whoever awaits it still gets the error
  }

  /** The answer still comes, and says `cancelled` unless it was on its way. */
  cancel(): void {
    if (!this.#over) this.#requests.native.cancel(this.id);
  }

  receive({ answer, error }: NativeNews): void {
    if (error !== undefined) this.fail(fromNative(error, this.#origin));
    else if (answer !== undefined) this.#finish(answer);
  }

  fail(error: unknown): void {
    this.#over = true;
    this.#settle.reject(error);
  }

  #finish(answer: NativeAnswer): void {
    // The one who wanted this sequence has failed meanwhile.
    if (this.#over && answer.sequence !== undefined) this.#requests.release(answer.sequence);
    this.#over = true;
    this.#settle.resolve(answer);
  }
}

/** A field that the command's answer has by contract. */
export function answered<T>(value: T | undefined): T {
  if (value === undefined) throw fromNative(new Error("The engine's answer lacks a field"));
  return value;
}
