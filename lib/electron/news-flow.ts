import { type Deferred, deferred } from "../internal/deferred.js";
import { WINDOW } from "./port-protocol.js";

/**
 * Holds the news of one call back until the client has taken those before: at most WINDOW are under way.
 * Whoever sends waits for `ready` first, and joins what comes up meanwhile.
 */
export class NewsFlow {
  readonly #post: (news: unknown) => void;
  #credits = WINDOW;
  #waiting: Deferred<void> | undefined;
  /** The latest that found no room: those before it say nothing that it does not. */
  #progress: readonly unknown[] | undefined;
  #over = false;

  constructor(post: (news: unknown) => void) {
    this.#post = post;
  }

  /** Resolves when there is room for one; for one sender at a time. */
  ready(): Promise<void> {
    if (this.#over || this.#credits > 0) return Promise.resolve();
    this.#waiting = deferred();
    return this.#waiting.promise;
  }

  send(news: unknown): void {
    if (this.#over) return;
    this.#credits -= 1;
    this.#post(news);
  }

  /** Never waits: a newer one takes its place. */
  progress(...values: readonly unknown[]): void {
    if (this.#credits > 0) this.send({ progress: values });
    else this.#progress = values;
  }

  /** None of them is lost, since each adds to those before. They are few and small, and need no room in the window. */
  tell(...values: readonly unknown[]): void {
    if (!this.#over) this.#post({ progress: values });
  }

  /** A client may say it more often than it is true: its own queue is all that it fills. */
  ack(): void {
    this.#credits = Math.min(this.#credits + 1, WINDOW);
    const progress = this.#progress;
    this.#progress = undefined;
    if (progress !== undefined) this.send({ progress });
    else this.#waiting?.resolve();
  }

  /** Nobody will take anything any more. */
  end(): void {
    const progress = this.#progress;
    this.#progress = undefined;
    if (progress !== undefined) this.send({ progress }); // the last one says that all is done
    this.#over = true;
    this.#waiting?.resolve();
  }
}
