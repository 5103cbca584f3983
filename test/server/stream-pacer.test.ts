// Pieces of many streams that come within 20 ms go out together; of few, and the first of each, at once.
import { StreamPacer } from "../../lib/server/stream-pacer.js";

beforeEach(() => jest.useFakeTimers({ now: 1000 }));
afterEach(() => jest.useRealTimers());

/** A stream that writes when it may, as EventStream does. */
class Stream {
  readonly written: { at: number; pieces: number }[] = [];
  #held = 0;
  #sent = Number.NEGATIVE_INFINITY;
  readonly #pacer: StreamPacer;

  constructor(pacer: StreamPacer) {
    this.#pacer = pacer;
    pacer.enter(this);
  }

  send(): void {
    this.#held += 1;
    if (!this.#pacer.holds(this, this.#sent)) this.flush();
  }

  flush(): void {
    this.#sent = performance.now();
    if (this.#held > 0) this.written.push({ at: this.#sent - began, pieces: this.#held });
    this.#held = 0;
  }

  leave(): void {
    this.#pacer.leave(this);
  }
}

let began = 0;
const streams = (count: number) => {
  began = performance.now();
  const pacer = new StreamPacer();
  return Array.from({ length: count }, () => new Stream(pacer));
};
const first = (all: readonly Stream[]) => all[0] as Stream;

test("up to four streams get each piece as it comes", () => {
  const all = streams(4);
  for (let at = 0; at < 30; at += 5) {
    for (const one of all) one.send();
    jest.advanceTimersByTime(5);
  }
  expect(first(all).written).toEqual([0, 5, 10, 15, 20, 25].map((at) => ({ at, pieces: 1 })));
});

test("of five, the first piece never waits, and the next go out together after 20 ms", () => {
  const all = streams(5);
  for (let at = 0; at < 40; at += 5) {
    for (const one of all) one.send();
    jest.advanceTimersByTime(5);
  }
  for (const { written } of all) {
    // At 0 alone; those of 5, 10 and 15 with that of 20, which is 20 ms behind the first.
    expect(written).toEqual([
      { at: 0, pieces: 1 },
      { at: 20, pieces: 4 },
    ]);
  }
  jest.advanceTimersByTime(20);
  expect(first(all).written.at(-1)).toEqual({ at: 45, pieces: 3 });
});

test("a piece behind a pause of 20 ms does not wait", () => {
  const all = streams(5);
  const one = first(all);
  one.send();
  jest.advanceTimersByTime(20);
  one.send();
  expect(one.written).toEqual([
    { at: 0, pieces: 1 },
    { at: 20, pieces: 1 },
  ]);
});

test("a stream that has left is not written to, and makes room for the others", () => {
  const all = streams(5);
  for (const one of all) one.send();
  jest.advanceTimersByTime(1);
  for (const one of all) one.send();
  first(all).leave();
  jest.advanceTimersByTime(30);
  expect(first(all).written).toHaveLength(1);
  expect(all[1]?.written).toEqual([
    { at: 0, pieces: 1 },
    { at: 21, pieces: 1 },
  ]);
  all[1]?.send();
  all[1]?.send();
  expect(all[1]?.written.slice(2)).toEqual([
    { at: 31, pieces: 1 },
    { at: 31, pieces: 1 },
  ]);
});
