import type { CallableTools } from "./callable-tools.js";
import { CURLY_OPEN, DOUBLE_QUOTE, GREATER, isSpace, LESS, NEWLINE } from "./characters.js";
import { brokenCall, type Outcome } from "./found-calls.js";
import { LiteralReader } from "./literal-reader.js";
import type { OutputFeed, Reading } from "./output-feed.js";

export const FUNCTION_TAG = "<function=";
export const FUNCTION_CLOSE = "</function>";

/**
 * `<function=NAME>{…}</function>`, from after the "=". The call is complete with its object: a closing tag
 * behind it may be missing; the ">" may be, too. Without an object everything up to the closing tag belongs
 * to it: nothing means no arguments, and anything else is a problem. A blank line before the closing tag makes
 * it text.
 */
export function* functionTagCall(feed: OutputFeed, tools: CallableTools): Reading<Outcome> {
  const name = yield* feed.run(isName);
  if (name === "" || (feed.code !== GREATER && feed.code !== CURLY_OPEN)) {
    return feed.over ? "text" : "other";
  }
  const call = { format: "function-tag", name } as const;
  if (feed.code === GREATER) {
    feed.skip();
    yield* feed.next();
  }
  const reader = new LiteralReader(feed, "json");
  const start = feed.length;
  const value = feed.code === CURLY_OPEN ? yield* reader.value() : undefined;
  if (value === undefined) {
    if (!(yield* closingTag(feed))) return feed.over ? "text" : "other";
  }
  const source = feed.text;
  const members = value ?? (feed.length === start + FUNCTION_CLOSE.length ? new Map() : undefined);
  const read =
    members instanceof Map && reader.readable
      ? { ...call, arguments: tools.arguments(name, members) }
      : brokenCall(call, "The arguments are not a JSON object", source);
  return { calls: [read], length: source.length };
}

function isName(code: number): boolean {
  return !isSpace(code) && ![CURLY_OPEN, DOUBLE_QUOTE, GREATER, LESS].includes(code);
}

/** Reads all up to the closing tag, and that, unless a blank line comes first. */
function* closingTag(feed: OutputFeed): Reading<boolean> {
  for (;;) {
    yield* feed.run((code) => code !== LESS && code !== NEWLINE);
    if (feed.over) return false;
    if (feed.code === LESS) {
      if ((yield* feed.oneOf([FUNCTION_CLOSE])) !== undefined) return true;
    } else if (yield* feed.blankLine()) {
      return false;
    }
  }
}
