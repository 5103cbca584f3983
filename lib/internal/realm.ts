/**
 * The engine makes its arrays in the realm that loaded it, the main one. Under Jest, and in any `vm`
 * context, the classes of this realm are others, and `instanceof` would say no: there it gets a copy.
 */
export function ownInts(array: Int32Array): Int32Array {
  return array instanceof Int32Array ? array : new Int32Array(array);
}

export function ownFloats(array: Float32Array): Float32Array {
  return array instanceof Float32Array ? array : new Float32Array(array);
}

const tagOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Int32Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** As `util.types` has it, which pages lack: of any realm, and nothing can pretend to be one. */
export function isInt32Array(value: unknown): value is Int32Array {
  return tagOf.call(value) === "Int32Array";
}
