import type { CallableTools } from "./callable-tools.js";
import { brokenCall, type Outcome } from "./found-calls.js";
import { LiteralReader } from "./literal-reader.js";
import type { OutputFeed, Reading } from "./output-feed.js";

export const FUNCTION_TAG = "<function=";
export const FUNCTION_CLOSE = "</function>";
const NAME = /[^\t-\r <>{"]*/y;

/**
 * `<function=NAME>{…}</function>`, from after the "=". The call is complete with its object: a closing tag
 * behind it may be missing; the ">" may be, too. Without an object everything up to the closing tag belongs
 * to it: nothing means no arguments, and anything else is a problem. A blank line before the closing tag makes
 * it text.
 */
export function* functionTagCall(feed: OutputFeed, tools: CallableTools): Reading<Outcome> {
  const name = yield* feed.run(NAME);
  const { char } = feed;
  if (name === "" || (char !== ">" && char !== "{")) return feed.over ? "text" : "other";
  if (char === ">") {
    feed.skip();
    yield* feed.next();
  }
  const reader = new LiteralReader(feed, "json");
  const start = feed.length;
  let value = feed.char === "{" ? yield* reader.value() : undefined;
  if (value === undefined) {
    if (!(yield* closingTag(feed))) return feed.over ? "text" : "other";
    if (feed.length === start + FUNCTION_CLOSE.length) value = new Map();
  }
  const call = { format: "function-tag", name } as const;
  const source = feed.text;
  const read =
    value instanceof Map && reader.readable
      ? { ...call, arguments: tools.arguments(name, value) }
      : brokenCall(call, "The arguments are not a JSON object", source);
  return { calls: [read], length: source.length };
}

/** Reads all up to the closing tag, and that, unless a blank line comes first. */
function* closingTag(feed: OutputFeed): Reading<boolean> {
  for (;;) {
    yield* feed.run(/[^<\n]*/y);
    if (feed.over) return false;
    if (feed.char === "<") {
      if ((yield* feed.oneOf([FUNCTION_CLOSE])) !== undefined) return true;
    } else if (yield* feed.blankLine()) {
      return false;
    }
  }
}
