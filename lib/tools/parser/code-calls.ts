import type { FoundCall } from "./found-calls.js";

/** Tokens that end a message, as their text. */
export const END_TOKENS: readonly string[] = ["<|eom_id|>", "<|eot_id|>", "<|end_of_text|>"];
const CODE_INTERPRETER = "code_interpreter";
const FENCED = /^```\w*[^\S\n]*\n([\s\S]*)```$/;

/**
 * The call of what follows `<|python_tag|>` and is nothing else. White space around the code, and a fence
 * around all of it, are not part of it.
 */
export function codeCall(source: string): FoundCall {
  const whole = source.trim();
  const inside = FENCED.exec(whole)?.[1]?.trim() ?? "";
  const code = inside === "" || inside.includes("```") ? whole : inside;
  return {
    format: "code",
    name: CODE_INTERPRETER,
    arguments: `{"code":${JSON.stringify(code)}}`,
  };
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
