import type { AnswerEvent } from "./chat-transport.js";

/** Shorter, the clock says more about the connection than about the model. */
const LEAST_MS = 50;

/** How long the model has written: from its first word to its last, without the time that tools took. */
export class AnswerClock {
  readonly #began = performance.now();
  #writing = 0;
  #last: number | undefined;

  take({ type }: AnswerEvent): void {
    if (type === "verdict") return;
    const now = performance.now();
    if (this.#last !== undefined && type !== "result") this.#writing += now - this.#last;
    this.#last = type === "result" ? undefined : now;
  }

  /** Such as "39 tokens · 56 tokens/s · 0.69 s". */
  note(end: Partial<Extract<AnswerEvent, { type: "end" }>>): string {
    const { reason, tokens, promptTokens, cachedTokens } = end;
    const whole = performance.now() - this.#began;
    const writing = this.#writing < LEAST_MS ? whole : this.#writing;
    return [
      reason,
      tokens !== undefined && `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
      tokens !== undefined && `${Math.round((tokens * 1000) / writing)} tokens/s`,
      `${(whole / 1000).toFixed(2)} s`,
      promptTokens !== undefined &&
        cachedTokens !== undefined &&
        `${cachedTokens} of ${promptTokens} prompt tokens cached`,
    ]
      .filter(Boolean)
      .join(" · ");
  }
}
