/** `T` without what is `undefined`, as `exactOptionalPropertyTypes` wants it. */
export type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** A copy without the properties that are `undefined`. */
export function given<T extends object>(values: T): Given<T> {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<T>;
}
