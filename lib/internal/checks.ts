import { CriaError, expected, show } from "./errors.js";
import { unknownOption } from "./option-names.js";

/** The largest count that fits the engine's signed 32-bit sizes. */
export const MAX_INT32 = 2 ** 31 - 1;
/** Seeds and other unsigned 32-bit values. */
export const MAX_UINT32 = 2 ** 32 - 1;

/**
 * A copy of the options, each property read once, so that what was checked is what is used. Options
 * that are `undefined` count as not given. `name` is what the caller knows the argument by.
 */
export function readOptions<T extends object>(
  options: T | undefined,
  name: string,
  known: readonly (keyof T & string)[],
): Partial<T> {
  const copy: Partial<T> = {};
  if (options === undefined) return copy;
  if (!isPlainObject(options)) throw expected("a plain object", name, options);
  try {
    for (const key of Reflect.ownKeys(options)) {
      if (typeof key === "string" && (known as readonly string[]).includes(key)) {
        const value = options[key as keyof T];
        if (value !== undefined) copy[key as keyof T] = value;
      } else {
        throw unknownOption(key, name, known);
      }
    }
  } catch (error) {
    throw unreadable(error, name, options);
  }
  return copy;
}

/** What a hostile getter or proxy threw becomes the cause of ERR_INVALID_ARGUMENT. */
export function unreadable(error: unknown, name: string, value: unknown): unknown {
  return CriaError.is(error) ? error : expected("readable properties", name, value, error);
}

/** Reads what may have hostile getters or be a revoked proxy: whatever they throw is ERR_INVALID_ARGUMENT. */
export function guarded<T>(value: unknown, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(error, name, value);
  }
}

/** `Array.isArray`, which throws for a proxy that was revoked. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** Made by a literal, `Object.create(null)` or JSON, of any realm; class instances are not. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    if (Array.isArray(value)) return false;
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === null || Object.getPrototypeOf(prototype) === null;
  } catch {
    return false;
  }
}

/** Whether members of these types are there: what is known by them may be a stand-in. Never throws. */
export function hasMembers(value: unknown, types: Readonly<Record<string, string>>): boolean {
  try {
    const members = value as Record<string, unknown>;
    return Object.entries(types).every(([name, type]) => typeof members[name] === type);
  } catch {
    return false;
  }
}

export function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value + 0; // -0 becomes 0
  }
  throw expected(`an integer from ${min} to ${max}`, name, value);
}

export function number(value: unknown, name: string, min: number, max: number): number {
  if (typeof value === "number" && value >= min && value <= max) return value + 0;
  throw expected(`a number from ${min} to ${max}`, name, value);
}

export function boolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw expected("a boolean", name, value);
}

export function string(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw expected("a string", name, value);
}

/** No half of a surrogate pair: with the `u` flag only a lone one is a code point of its own. */
export function isWellFormed(text: string): boolean {
  // Node's own, where the types of this language version do not know it, takes no time.
  const { isWellFormed: own } = text as { isWellFormed?: () => boolean };
  return own === undefined ? !/\p{Surrogate}/u.test(text) : own.call(text);
}

/** As it goes to the file system: never cut at a NUL byte, never with U+FFFD in it. */
export function filePath(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "" && !value.includes("\0") && isWellFormed(value)) {
    return value;
  }
  throw expected("a file's path", name, value);
}

export function oneOf<const T>(value: unknown, name: string, allowed: readonly T[]): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T;
  throw expected(`one of ${allowed.map(show).join(", ")}`, name, value);
}

// biome-ignore lint/complexity/noBannedTypes: only that it can be called matters here
export function callback<T extends Function>(value: T, name: string): T {
  if (typeof value === "function") return value;
  throw expected("a function", name, value);
}

/**
 * An own copy of an array, each element checked by `element` before the next is read: what has no end,
 * by its length or its iterator, fails at its first hole and not when all memory is used up.
 */
export function list<T>(
  value: unknown,
  name: string,
  what: string,
  element: (value: unknown, name: string) => T,
): T[] {
  try {
    if (Array.isArray(value)) {
      const copy: T[] = [];
      const { length } = value;
      for (let i = 0; i < length; i++) copy.push(element(value[i], `${name}[${i}]`));
      return copy;
    }
  } catch (error) {
    throw unreadable(error, name, value);
  }
  throw expected(what, name, value);
}

/** Duck-typed, since a signal may come from another realm or a polyfill. */
export function abortSignal(value: unknown, name: string): AbortSignal {
  const isSignal = guarded(value, name, () => {
    const signal = value as Partial<AbortSignal> | null;
    return (
      typeof signal === "object" &&
      signal !== null &&
      typeof signal.aborted === "boolean" &&
      typeof signal.addEventListener === "function" &&
      typeof signal.removeEventListener === "function"
    );
  });
  if (isSignal) return value as AbortSignal;
  throw expected("an AbortSignal", name, value);
}
