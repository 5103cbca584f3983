/** What this page has kept where the browser keeps nothing. */
const here = new Map<string, string>();

/**
 * A small value of this browser, or with `sessionStorage` of this tab. Browsers that keep nothing for pages throw at the
 * mere name of a storage: then values live as long as the page.
 */
export class KeptValue {
  readonly #key: string;
  readonly #storage: "localStorage" | "sessionStorage";

  constructor(key: string, storage: "localStorage" | "sessionStorage" = "localStorage") {
    this.#key = key;
    this.#storage = storage;
  }

  get value(): string | null {
    try {
      return window[this.#storage].getItem(this.#key);
    } catch {
      return here.get(this.#key) ?? null;
    }
  }

  /** null forgets it. */
  set value(value: string | null) {
    try {
      const storage = window[this.#storage];
      if (value === null) storage.removeItem(this.#key);
      else storage.setItem(this.#key, value);
    } catch {
      if (value === null) here.delete(this.#key);
      else here.set(this.#key, value);
    }
  }
}
