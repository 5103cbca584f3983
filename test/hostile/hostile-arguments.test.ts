import { readSessionOptions } from "../../lib/chat/session-options.js";
import { nativeContextOptions } from "../../lib/context/context-options.js";
import { renderChat, Sampler } from "../../lib/index.js";
import { watchSignal } from "../../lib/internal/abort.js";
import { list } from "../../lib/internal/checks.js";
import { CriaError } from "../../lib/internal/errors.js";
import type { NativeModelInfo } from "../../lib/internal/native.js";
import { opener } from "../../lib/internal/windowed.js";
import { copyTokens } from "../../lib/model/tokens.js";

const thrown = () => {
  throw new Error("from a trap");
};

function revoked<T extends object>(target: T): T {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Int32Array {
  const array = new Int32Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** As long as an array can be, with nothing in it. */
const longest = () => new Array<number>(2 ** 32 - 1);

/** Two elements, and an iterator that never ends. */
const endless = () =>
  Object.assign([1, 2], {
    *[Symbol.iterator]() {
      for (;;) yield 1;
    },
  });

const tokens = (value: unknown) => copyTokens(value, "tokens", 10);
const context = (options: unknown) =>
  nativeContextOptions(options as never, { contextLength: 64 } as NativeModelInfo);
const message = (content: unknown) => renderChat([{ role: "user", content } as never]);
const text = (value: unknown) => value;
const throwingTrap = new Proxy({}, { getOwnPropertyDescriptor: thrown, ownKeys: thrown });

test.each<[string, () => unknown]>([
  ["tokens that were detached", () => tokens(detached())],
  ["tokens without an end", () => tokens(longest())],
  ["a revoked array of tokens", () => tokens(revoked([1]))],
  ["a revoked sampler's options", () => new Sampler(revoked({}))],
  ["a sampler's options that throw when looked at", () => new Sampler(throwingTrap)],
  ["a symbol as a micro-batch", () => context({ microBatchSize: Symbol("many") })],
  ["an object as a batch", () => context({ batchSize: { valueOf: thrown }, embeddings: true })],
  ["messages without an end", () => renderChat(longest() as never)],
  ["revoked messages", () => renderChat(revoked([]))],
  ["a revoked message", () => renderChat([revoked({}) as never])],
  ["parts without an end", () => message(longest())],
  ["revoked parts", () => message(revoked([]))],
  ["a session's revoked messages", () => readSessionOptions({ messages: revoked([]) })],
  ["a session's tools without an end", () => readSessionOptions({ tools: longest() as never })],
  ["requests that are numbers", () => opener(detached() as never, "requests")],
  [
    "a signal that cannot be listened to",
    () => watchSignal({ aborted: false, addEventListener: thrown } as never, () => {}),
  ],
])("%s are ERR_INVALID_ARGUMENT, at once", (_what, call) => {
  expect(call).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
});

test("an array's own iterator is not asked", () => {
  expect(list(endless(), "list", "an array", text)).toEqual([1, 2]);
  expect(tokens(endless())).toEqual(Int32Array.of(1, 2));
});

test("an element's own error comes through a list as it is", () => {
  const refused = new CriaError("ERR_UNSUPPORTED", "not this one");
  const refuse = () => {
    throw refused;
  };
  expect(() => list([1], "list", "an array", refuse)).toThrow(refused);
});
