// Any JavaScript value, hostile ones first: what throws when it is touched, changes between two
// looks, has no end, or was taken away.
import fc from "fast-check";

/** What getters and traps throw: it may come back as the cause of a CriaError, never bare. */
export class Trap extends Error {}

/** What functions given as callbacks throw, which comes back as it is. */
export class CallbackTrap extends Error {}

const trap = () => {
  throw new Trap("from a trap");
};
const callback = () => {
  throw new CallbackTrap("from a callback");
};

/** More than any memory holds, for whoever copies before looking. */
function endless() {
  return Object.assign([1], {
    *[Symbol.iterator]() {
      for (;;) yield 1;
    },
  });
}

const traps = [
  "get",
  "has",
  "ownKeys",
  "getOwnPropertyDescriptor",
  "getPrototypeOf",
  "set",
  "defineProperty",
  "apply",
  "construct",
];

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(Kind) {
  const array = new Kind(8);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function cyclic() {
  const object = { name: "cyclic", list: [] };
  object.self = object;
  object.list.push(object);
  return object;
}

function sparse() {
  const array = [1];
  array[40] = 2;
  return array;
}

const subclassed = () => Object.assign(new (class Special extends Array {})(), ["a"]);

/** Changes with each look. */
function fickle() {
  let looks = 0;
  return Object.defineProperty({}, "length", { get: () => looks++, enumerable: true });
}

const numbers = [
  ...[-0, Number.NaN, Infinity, -Infinity, -1, 0.5, 1e-320, 2 ** 31, 2 ** 32, 2 ** 53, 1e308],
];
const texts = [
  ...["", "\0", "a\0b", "\ud800", "x\udc00y", "🦙", "__proto__", "constructor", "toString"],
  ...["<|eot_id|>", "<|begin_of_text|>", "x".repeat(5000), "‮\u2028\ufeff", "[object Object]"],
];

/** Each made anew, since some are used up by looking at them. */
const makers = [
  ...numbers.map((value) => () => value),
  ...texts.map((value) => () => value),
  ...[null, undefined, true, false, 0n, 2n ** 70n, Symbol("s"), Symbol.iterator].map(
    (value) => () => value,
  ),
  ...[Int32Array, Float32Array, Uint8Array, BigInt64Array].map((Kind) => () => detached(Kind)),
  ...[Int32Array, Uint8Array, Float64Array].map((Kind) => () => new Kind(3)),
  () => new Int32Array(new SharedArrayBuffer(16)),
  () => new DataView(new ArrayBuffer(4)),
  ...[{}, [], trap, new Int32Array(2), new Map(), Promise.resolve()].map(
    (target) => () => revoked(target),
  ),
  ...traps.map((name) => () => new Proxy({}, { [name]: trap })),
  ...traps.map((name) => () => new Proxy([], { [name]: trap })),
  () => new Proxy(() => {}, Object.fromEntries(traps.map((name) => [name, trap]))),
  () => Object.defineProperty({}, "x", { get: trap, enumerable: true }),
  () => Object.defineProperty([], 0, { get: trap, enumerable: true }),
  () => ({ toString: trap, valueOf: trap, toJSON: trap, [Symbol.toPrimitive]: trap }),
  () => ({ [Symbol.iterator]: trap, [Symbol.asyncIterator]: trap }),
  () => ({ [Symbol.iterator]: () => ({ next: trap }) }),
  () => ({ [Symbol.iterator]: () => 5 }),
  // biome-ignore lint/suspicious/noThenProperty: a thenable is one of the hostile kinds
  () => ({ then: (_resolve, reject) => reject(new Trap("from a thenable")) }),
  () => ({
    get constructor() {
      return trap();
    },
  }),
  () => ({ constructor: revoked({}) }),
  () => ({
    get [Symbol.toStringTag]() {
      return trap();
    },
  }),
  ...[cyclic, sparse, subclassed, fickle, endless],
  () => Object.create(null),
  () => Object.create({ inherited: 1 }),
  () => Object.freeze({ frozen: 1 }),
  () => Object.seal([1, 2]),
  () => ({ length: 3, 0: "a" }),
  () => new Array(2 ** 32 - 1),
  () => Array.from({ length: 300 }, (_, i) => i),
  () => JSON.parse('{"__proto__": {"polluted": 1}}'),
  () => new Map([[Symbol("key"), 1]]),
  () => new Map([[1, 1]]),
  () => new Set([1, "a"]),
  () => new WeakMap(),
  () => new Date(Number.NaN),
  () => new Date(8.64e15),
  () => /x/g,
  () => new Error("an error"),
  () => Promise.reject(new Trap("never looked at")).catch(() => {}),
  () => new Promise(() => {}),
  () => globalThis,
  () =>
    new (class Options {
      temperature = 1;
    })(),
  () => callback,
  () => class extends Trap {},
  () => async () => 1,
  () => function* () {},
  () => Buffer.from("bytes"),
  () => new AbortController().signal,
  () => ({ aborted: false, addEventListener: trap, removeEventListener: trap }),
  () => ({
    get aborted() {
      return trap();
    },
  }),
];

const anything = fc.anything({
  maxDepth: 3,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
});

/** Made when it is asked for, so that a run that is repeated gets values of its own. */
export const hostile = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...makers) },
  { weight: 1, arbitrary: anything.map((value) => () => value) },
  { weight: 1, arbitrary: fc.constantFrom(...makers).map((make) => () => [make()]) },
  { weight: 1, arbitrary: fc.constantFrom(...makers).map((make) => () => ({ x: make() })) },
);

/** How an object may be dressed; most often not at all. */
const dresses = [
  ...Array(16).fill((object) => object),
  Object.freeze,
  Object.seal,
  (object) => Object.assign(Object.create(null), object),
  (object) => new Proxy(object, {}),
  (object) => new Proxy(object, { get: trap }),
  (object) => new Proxy(object, { ownKeys: trap }),
  (object) => new Proxy(object, { getOwnPropertyDescriptor: trap }),
  (object) => revoked(object),
  (object) => ({ ...object, [Symbol("key")]: 1 }),
  (object) => Object.assign(Object.create(object), object),
  // As getters, which throw when they are asked again.
  (object) => {
    const once = {};
    for (const [key, value] of Object.entries(object)) {
      let looks = 0;
      const get = () => (looks++ > 0 ? trap() : value);
      Object.defineProperty(once, key, { get, enumerable: true });
    }
    return once;
  },
  (object) => Object.defineProperty(object, "hidden", { get: trap, enumerable: true }),
];

/** Options that nobody knows. */
const STRANGERS = ["unknown", "maxtokens", "", "__proto__", "constructor"];

/**
 * An object of options: up to four that are known (`known` has an arbitrary of makers by name, or a list
 * of them), two in five of them with a hostile value somewhere, or one that is not known. Those that are
 * `required` are among them.
 */
export function optionsOf(known, required = []) {
  const good = Object.fromEntries(
    Object.entries(known).map(([key, values]) => [
      key,
      Array.isArray(values) ? fc.constantFrom(...values) : values,
    ]),
  );
  const names = Object.keys(known);
  const spoilt = fc.dictionary(fc.constantFrom(...names, ...STRANGERS), hostile, { maxKeys: 2 });
  const chosen = fc
    .uniqueArray(fc.constantFrom(...names), { maxLength: 4 })
    .chain((keys) =>
      fc.record(Object.fromEntries([...keys, ...required].map((key) => [key, good[key]]))),
    );
  return fc
    .tuple(
      chosen,
      fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 2, arbitrary: spoilt }),
      fc.constantFrom(...dresses),
    )
    .map(([some, bad, dress]) => () => {
      const made = {};
      for (const [key, make] of [...Object.entries(some), ...Object.entries(bad)]) {
        Object.defineProperty(made, key, {
          value: make(),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
      return dress(made);
    });
}

/** Good makers, sometimes a hostile value in their place. */
export const mostly = (...good) =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: hostile });
