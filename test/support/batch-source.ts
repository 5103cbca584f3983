import type { BatchRequest } from "../../lib/index.js";
import { settled } from "./fake-context.js";

export const request = (i: number) => ({ prompt: [i % 10], maxTokens: 1 + i });

/** Endless, and tells how far it was read and whether it was closed. */
export class Source implements AsyncIterableIterator<BatchRequest> {
  read = 0;
  closed = 0;
  gate: Promise<void> = Promise.resolve();

  async next(): Promise<IteratorResult<BatchRequest>> {
    const value = request(this.read++);
    await this.gate;
    return { done: false, value };
  }
  async return(): Promise<IteratorResult<BatchRequest>> {
    this.closed++;
    return { done: true, value: undefined };
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Until everything that can happen by itself has happened. */
export async function wait(): Promise<void> {
  for (let i = 0; i < 20; i++) await settled();
}
