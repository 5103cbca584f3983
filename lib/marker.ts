/**
 * Classes are recognised by a registered symbol, which the ESM and the CommonJS copy of this package
 * share in one process, where `instanceof` knows only its own copy. Markers are made with `Symbol.for`.
 */
export function mark(object: object, marker: symbol): void {
  Object.defineProperty(object, marker, { value: true });
}

export function isMarked(value: unknown, marker: symbol): boolean {
  try {
    return typeof value === "object" && value !== null && Reflect.get(value, marker) === true;
  } catch {
    return false; // a proxy that throws on reading
  }
}
