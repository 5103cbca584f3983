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
