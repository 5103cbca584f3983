import type { ToolDefinition, ToolParserEvent } from "../messages/tool-types.js";
import type { ToolCallParser } from "./parser/tool-call-parser.js";

/**
 * Reads what the grammar of one call or an answer lets through. What does not begin as that grammar has a call begin
 * is the answer, verbatim: a text in it that spells a call is data. What begins so is read once it has ended, and is a
 * call only as a whole.
 */
export class CallOrAnswer {
  readonly #parser: Pick<ToolCallParser, "push" | "finish">;
  readonly #openings: readonly Opening[];
  #is: "call" | "answer" | undefined;
  /** All that came, as long as it is not the answer. */
  #held = "";
  /** How much of it has been looked at. */
  #seen = 0;

  /** @param tools those that may be called */
  constructor(tools: readonly ToolDefinition[], parser: Pick<ToolCallParser, "push" | "finish">) {
    this.#parser = parser;
    this.#openings = tools.flatMap(({ function: { name } }) => {
      const rest = ['"name"', ":", JSON.stringify(name), ",", '"parameters"', ":"];
      return [
        new Opening(["{", ...rest]),
        new Opening(["{", '"type"', ":", '"function"', ",", ...rest]),
      ];
    });
  }

  push(text: string): ToolParserEvent[] {
    if (this.#is === "answer") return textEvents(text);
    this.#held += text;
    this.#is ??= this.#decided();
    if (this.#is !== "answer") return [];
    const held = this.#held;
    this.#held = "";
    return textEvents(held);
  }

  finish(options: { readonly cutOff: boolean }): ToolParserEvent[] {
    const held = this.#held;
    this.#held = "";
    if (this.#is !== "call") return textEvents(held);
    // One that was cut off, or cannot be read, would be searched for others within.
    const events = [...this.#parser.push(held), ...this.#parser.finish(options)];
    return events.length === 1 && events[0]?.type === "tool-call" ? events : textEvents(held);
  }

  #decided(): "call" | "answer" | undefined {
    for (; this.#seen < this.#held.length; this.#seen++) {
      const letter = this.#held[this.#seen] as string;
      for (const opening of this.#openings) opening.step(letter);
      if (this.#openings.some(({ state }) => state === "there")) return "call";
      if (!this.#openings.some(({ state }) => state === "possible")) return "answer";
    }
    return undefined;
  }
}

/** Follows texts that stand behind each other, with white space between them. */
class Opening {
  readonly #texts: readonly string[];
  state: "possible" | "there" | "missed" = "possible";
  #text = 0;
  #letters = 0;

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  step(letter: string): void {
    if (this.state !== "possible") return;
    if (this.#letters === 0 && /\s/.test(letter)) return;
    const text = this.#texts[this.#text] as string;
    if (letter !== text[this.#letters]) {
      this.state = "missed";
      return;
    }
    this.#letters++;
    if (this.#letters < text.length) return;
    this.#letters = 0;
    this.#text++;
    if (this.#text === this.#texts.length) this.state = "there";
  }
}

function textEvents(text: string): ToolParserEvent[] {
  return text === "" ? [] : [{ type: "text", text }];
}
