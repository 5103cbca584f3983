/** Numbers values from 0 in the order in which they are first asked for; objects are told apart by who they are. */
export class Numbering<T> {
  readonly #numbers = new Map<T, number>();

  of(value: T): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(value, number);
    }
    return number;
  }

  /** In the order of their numbers. */
  values(): T[] {
    return [...this.#numbers.keys()];
  }
}
