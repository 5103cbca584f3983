/** Tells whether a text ends inside of the JSON value that it begins with. Linear, however it is cut. */
export class JsonOutline {
  /**
   * Only white space came; an object, an array or a string is open; that has ended; or the text began otherwise, as
   * prose or a number does.
   */
  state: "blank" | "open" | "ended" | "other" = "blank";
  #depth = 0;
  #string: "none" | "inside" | "escaped" = "none";

  push(text: string): void {
    for (const letter of text) {
      if (this.state !== "blank" && this.state !== "open") return;
      this.#step(letter);
    }
  }

  #step(letter: string): void {
    if (this.#string === "escaped") {
      this.#string = "inside";
    } else if (this.#string === "inside") {
      if (letter === "\\") this.#string = "escaped";
      if (letter === '"') this.#string = "none";
    } else if (letter === '"') {
      this.#string = "inside";
    } else if (letter === "{" || letter === "[") {
      this.#depth++;
    } else if (letter === "}" || letter === "]") {
      this.#depth--;
    } else if (this.state === "blank") {
      if (!/\s/.test(letter)) this.state = "other";
      return;
    }
    this.state = this.#depth > 0 || this.#string !== "none" ? "open" : "ended";
  }
}
