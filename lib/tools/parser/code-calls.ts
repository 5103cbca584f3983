import type { FoundCall } from "./callable-tools.js";
import { LESS } from "./characters.js";
import { END_TOKENS } from "./tags.js";

const CODE_INTERPRETER = "code_interpreter";

/** Finds an end token, one character at a time. All of them begin with their only "<". */
export class EndTokenMatcher {
  #so = "";

  /** The token that this character completes. */
  step(code: number): string | undefined {
    if (code === LESS) {
      this.#so = "<";
      return undefined;
    }
    if (this.#so === "") return undefined;
    this.#so += String.fromCharCode(code);
    const token = END_TOKENS.find((end) => end.startsWith(this.#so));
    if (token === undefined) this.#so = "";
    if (token !== this.#so) return undefined;
    this.#so = "";
    return token;
  }

  /** Whether a token may have begun. */
  get inside(): boolean {
    return this.#so !== "";
  }
}

/** A text, and the end tokens that it ended with. */
export function splitEndTokens(source: string): [text: string, tokens: string[]] {
  const tokens: string[] = [];
  let end = source.length;
  for (;;) {
    const token = END_TOKENS.find((known) => source.endsWith(known, end));
    if (token === undefined) return [source.slice(0, end), tokens.reverse()];
    tokens.push(token);
    end -= token.length;
  }
}

/**
 * The call of what follows `<|python_tag|>` and is nothing else. White space around the code, and a fence
 * around all of it, are not part of it.
 */
export function codeCall(source: string): FoundCall {
  const code = JSON.stringify(withoutFence(source.trim()));
  return { format: "code", name: CODE_INTERPRETER, arguments: `{"code":${code}}` };
}

function withoutFence(code: string): string {
  const newline = code.indexOf("\n");
  if (!code.startsWith("```") || !code.endsWith("```") || newline < 0) return code;
  const info = code.slice(3, newline).trim();
  const inside = code.slice(newline + 1, -3).trim();
  const whole = inside !== "" && !inside.includes("```") && newline < code.length - 3;
  return whole && /^\w*$/.test(info) ? inside : code;
}
